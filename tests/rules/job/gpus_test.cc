// GPUs as nvidia-smi tells of them, a fake one, and the queue that jobs of one user wait in.
#include "rules/job/platforms/local/gpus.h"

#include <signal.h>

#include "tests/rules/job/local_world.h"

namespace trainmake {
namespace {

using Numbers = std::vector<int>;

Numbers indices(const std::vector<Gpu>& gpus) {
  Numbers numbers;
  for (const Gpu& gpu : gpus) numbers.push_back(gpu.index);
  return numbers;
}

TEST(Gpus, AreReadFromWhatNvidiaSmiSays) {
  EXPECT_EQ(*parse_gpus("0, GPU-aa-1, 1024\n1, GPU-bb-2, 0\n"),
            (std::vector<Gpu>{{0, "GPU-aa-1", 1024}, {1, "GPU-bb-2", 0}}));
  EXPECT_EQ(*parse_gpus("0, GPU-aa-1, [N/A]\n"), (std::vector<Gpu>{{0, "GPU-aa-1", 0}}));
  EXPECT_TRUE(parse_gpus("")->empty());
  EXPECT_FALSE(parse_gpus("No devices were found\n"));
  EXPECT_FALSE(parse_gpus("a, b, c\n"));
  EXPECT_FALSE(
      parse_gpus("NVIDIA-SMI has failed because it couldn't communicate with the driver, sorry, no"));
}

TEST(Gpus, WhatIsVisibleIsNamedByIndexOrId) {
  const std::vector<Gpu> all = {{0, "GPU-aa", 0}, {1, "GPU-bb", 0}, {2, "GPU-cc", 0}};
  EXPECT_EQ(indices(visible_gpus(all, std::nullopt)), (Numbers{0, 1, 2}));
  EXPECT_EQ(indices(visible_gpus(all, "2,0")), (Numbers{0, 2}));
  EXPECT_EQ(indices(visible_gpus(all, " GPU-b ,")), (Numbers{1}));
  EXPECT_EQ(indices(visible_gpus(all, "")), Numbers{});
  EXPECT_EQ(indices(visible_gpus(all, "-1")), Numbers{});
}

// With four of them, of which the first two are used by somebody.
struct GpuWorld : LocalWorld {
  GpuWorld() {
    folder.write("bin/nvidia-smi",
                 cat("#!/bin/sh\necho x >> ", folder.path("asked"),
                     "\nprintf '0, GPU-a, 900\\n1, GPU-b, 500\\n2, GPU-c, 0\\n3, GPU-d, 0\\n'\n"));
    std::filesystem::permissions(folder.path("bin/nvidia-smi"), std::filesystem::perms::owner_all);
    environment.variables["PATH"] = cat(folder.path("bin"), ":/usr/bin:/bin");
    environment.variables["XDG_CACHE_HOME"] = folder.path("home");
    environment.variables.erase("CUDA_VISIBLE_DEVICES");
  }

  GpuRequest request(std::uint64_t count) {
    return {count, environment.variables["PATH"], std::nullopt, folder.path("queue")};
  }
  static JobSpec with_gpus(JobSpec spec, std::int64_t count) {
    Value number;
    number.data = count;
    spec.resources.fields.push_back({"gpus", number});
    return spec;
  }
};

TEST(GpuQueue, GivesTheLeastUsedOnesToOneAlone) {
  GpuWorld world;
  std::string why;
  GpuQueue first = *GpuQueue::enter(world.host, world.request(1));
  const auto one = first.try_take(why);
  ASSERT_TRUE(*one);
  EXPECT_EQ((*one)->indices(), "2");
  GpuQueue second = *GpuQueue::enter(world.host, world.request(3));
  EXPECT_EQ((**second.try_take(why)).indices(), "0,1,3");
  GpuQueue third = *GpuQueue::enter(world.host, world.request(1));
  EXPECT_TRUE(*third.try_take(why)) << "those of a queue that was left are free again";
}

TEST(GpuQueue, WhoCameFirstIsServedFirst) {
  GpuWorld world;
  std::string why;
  GpuQueue holder = *GpuQueue::enter(world.host, world.request(3));
  std::optional<HeldGpus> held = *holder.try_take(why);
  ASSERT_TRUE(held);
  GpuQueue large = *GpuQueue::enter(world.host, world.request(2));
  GpuQueue small = *GpuQueue::enter(world.host, world.request(1));
  EXPECT_FALSE(*large.try_take(why));
  EXPECT_EQ(why, "waits for 2 gpus, of which 1 is free");
  EXPECT_FALSE(*small.try_take(why));
  EXPECT_EQ(why, "waits for 1 gpu, behind 1 other job");
  held.reset();
  EXPECT_FALSE(*small.try_take(why));
  const std::optional<HeldGpus> large_held = *large.try_take(why);
  EXPECT_TRUE(large_held);
  EXPECT_TRUE(*small.try_take(why));
}

TEST(GpuQueue, APlaceOfTheDeadIsNobodys) {
  GpuWorld world;
  std::string why;
  { const GpuQueue dead = *GpuQueue::enter(world.host, world.request(4)); }
  GpuQueue living = *GpuQueue::enter(world.host, world.request(1));
  EXPECT_TRUE(*living.try_take(why)) << why;
}

TEST(GpuQueue, WhatIsNotThereIsAnError) {
  GpuWorld world;
  EXPECT_EQ(find_gpus(world.host, world.request(5)).error().message,
            "The job asks for 5 gpus, and this machine has 4");
  GpuRequest request = world.request(2);
  request.visible = "3";
  EXPECT_EQ(find_gpus(world.host, request).error().message,
            "The job asks for 2 gpus, and CUDA_VISIBLE_DEVICES leaves 1 of the 4 here");
  request.path = world.folder.path("nowhere");
  EXPECT_EQ(find_gpus(world.host, request).error().message,
            "The job asks for 2 gpus, and this machine has no `nvidia-smi` that could tell of any");
  world.folder.write("bin/nvidia-smi", "#!/bin/sh\necho 'Driver/library version mismatch'; exit 18\n");
  EXPECT_EQ(find_gpus(world.host, world.request(1)).error().message,
            "The job asks for 1 gpu, and `nvidia-smi` tells of none: Driver/library version mismatch");
}

// With a clock on which waiting may take no time.
struct HastyGpuWorld : GpuWorld {
  struct : Clock {
    std::int64_t now_ns() override { return real_clock().now_ns(); }
    std::int64_t steady_ns() override { return real_clock().steady_ns(); }
    bool wait(std::chrono::milliseconds time, std::stop_token stop) override {
      return is_hasty ? stop.stop_requested() : real_clock().wait(time, std::move(stop));
    }
    std::atomic<bool> is_hasty = false;
  } clock;
  Host hasty{real_file_system(), processes, http, clock, environment};
};

// Where the driver is stuck; once `after` were answered.
void let_driver_hang(GpuWorld& world, int after) {
  world.folder.write("bin/nvidia-smi", cat("#!/bin/sh\necho x >> ", world.folder.path("asked"),
                                           "\n[ $(wc -l < ", world.folder.path("asked"), ") -le ", after,
                                           " ] || exec sleep 60\nprintf '0, GPU-a, 0\\n'\n"));
}
int times_asked(const GpuWorld& world) {
  const auto asked = read_file_if_there(real_file_system(), world.folder.path("asked"));
  return asked && *asked ? static_cast<int>((*asked)->size() / 2) : 0;
}
void await_asked(const GpuWorld& world, int times) {
  const std::int64_t began = real_clock().steady_ns();
  while (times_asked(world) < times && real_clock().steady_ns() - began < 30'000'000'000)
    real_clock().wait(std::chrono::milliseconds(2), {});
}

constexpr const char* kSilent = "`nvidia-smi` did not answer in 15 s";

TEST(Gpus, ADriverThatDoesNotAnswerIsToldAfterAWhile) {
  HastyGpuWorld world;
  let_driver_hang(world, 0);
  world.clock.is_hasty = true;
  const auto found = find_gpus(world.hasty, world.request(1));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, kSilent);
  EXPECT_EQ(found.error().blame, Blame::kRemote);
  EXPECT_EQ(
      found.error().hint,
      "Run `nvidia-smi` by hand: where that hangs, the driver is stuck. A job without `gpus` does not ask "
      "it; CUDA_VISIBLE_DEVICES in its `env` says which it sees");
}

TEST(LocalPlatform, ADriverThatDoesNotAnswerIsNotAskedForEachJob) {
  HastyGpuWorld world;
  let_driver_hang(world, 0);
  LocalPlatform platform(world.hasty, world.workspace, world.blobs, {}, default_contract());
  const Table resources = GpuWorld::with_gpus(script_spec(1, ""), 1).resources;
  world.clock.is_hasty = true;
  EXPECT_EQ(platform.admits({resources}, Asking::kNobody).error().message, kSilent);
  world.clock.is_hasty = false;
  world.folder.write("bin/nvidia-smi", "#!/bin/sh\necho 0, GPU-a, 0\n");
  EXPECT_EQ(platform.admits({resources}, Asking::kNobody).error().message, kSilent);
}

TEST(GpuQueue, WaitsForADriverThatIsStuck) {
  HastyGpuWorld world;
  std::string why;
  GpuQueue queue = *GpuQueue::enter(world.hasty, world.request(1));
  let_driver_hang(world, 0);
  world.clock.is_hasty = true;
  EXPECT_FALSE(*queue.try_take(why));
  EXPECT_EQ(why,
            cat("waits for 1 gpu: ", kSilent, "; run it by hand: where that hangs, the driver is stuck"));
  let_driver_hang(world, 1000);
  world.clock.is_hasty = false;
  EXPECT_TRUE(*queue.try_take(why));
}

TEST(GpuQueue, IsNotLockedWhileTheDriverIsAsked) {
  GpuWorld world;
  let_driver_hang(world, 1);
  std::stop_source stop;
  std::string why;
  GpuQueue queue = *GpuQueue::enter(world.host, world.request(1));
  Result<std::optional<HeldGpus>> taken = std::optional<HeldGpus>();
  {
    const std::jthread taking([&] { taken = queue.try_take(why, stop.get_token()); });
    await_asked(world, 2);
    EXPECT_TRUE(*real_file_system().lock(world.folder.path("queue/lock"), FileLock::Mode::kExclusive));
    stop.request_stop();
  }
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().blame, Blame::kInterrupted);
}

TEST(GpuQueue, AStopEndsTheWaitForItsLock) {
  GpuWorld world;
  const auto held = real_file_system().lock(world.folder.path("queue/lock"), FileLock::Mode::kExclusive);
  ASSERT_TRUE(*held);
  std::stop_source stop;
  std::optional<Blame> blame;
  {
    const std::jthread entering([&] {
      const auto queue = GpuQueue::enter(world.host, world.request(1), stop.get_token());
      if (!queue) blame = queue.error().blame;
    });
    await_asked(world, 1);
    stop.request_stop();
  }
  EXPECT_EQ(blame, Blame::kInterrupted);
}

TEST(LocalPlatform, AJobWhoseDriverIsStuckIsCancelled) {
  GpuWorld world;
  let_driver_hang(world, 1);
  const JobHandle job = world.submit(GpuWorld::with_gpus(script_spec(1, "echo ran"), 1));
  await_asked(world, 2);
  ASSERT_TRUE(world.platform.cancel(job));
  EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
}

TEST(LocalPlatform, AJobSeesItsGpusAlone) {
  GpuWorld world;
  const JobSpec spec =
      GpuWorld::with_gpus(script_spec(1, "echo $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER"), 2);
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.log(spec), "2,3 PCI_BUS_ID\n");
}

TEST(LocalPlatform, AJobWithoutGpusAsksNobody) {
  GpuWorld world;
  const JobSpec spec = GpuWorld::with_gpus(script_spec(1, "echo ${CUDA_VISIBLE_DEVICES-unset}"), 0);
  world.run(spec);
  EXPECT_EQ(world.log(spec), "unset\n");
  EXPECT_FALSE(world.folder.has("asked"));
}

TEST(LocalPlatform, AJobWaitsUntilGpusAreFree) {
  GpuWorld world;
  const JobSpec first = GpuWorld::with_gpus(script_spec(1, cat("while ! test -e ", world.folder.path("gate"),
                                                               "; do sleep 0.01; done")),
                                            3),
                second = GpuWorld::with_gpus(script_spec(2, "echo ran"), 2);
  const JobHandle one = world.submit(first);
  world.await(one, [](const JobStatus& status) { return status.status == RunStatus::kRunning; });
  const JobHandle other = world.submit(second);
  const JobStatus queued = world.await(
      other, [](const JobStatus& status) { return status.reason.find("is free") != std::string::npos; });
  EXPECT_EQ(queued.status, RunStatus::kQueued);
  EXPECT_EQ(queued.reason, "waits for 2 gpus, of which 1 is free");
  EXPECT_EQ(queued.started_ns, 0);
  world.folder.write("gate", "");
  const std::int64_t freed = world.await_end(one).ended_ns;
  const JobStatus ended = world.await_end(other);
  EXPECT_EQ(ended.status, RunStatus::kSucceeded);
  EXPECT_GE(ended.started_ns, freed - 1'000'000'000) << "it did not run while it waited";
}

TEST(LocalPlatform, AJobThatWaitsForGpusIsCancelled) {
  GpuWorld world;
  const JobHandle one = world.submit(GpuWorld::with_gpus(script_spec(1, "sleep 60"), 4));
  world.await(one, [](const JobStatus& status) { return status.status == RunStatus::kRunning; });
  const JobSpec second = GpuWorld::with_gpus(script_spec(2, "echo ran"), 1);
  const JobHandle other = world.submit(second);
  world.await(other, [](const JobStatus& status) { return status.status == RunStatus::kQueued; });
  ASSERT_TRUE(world.platform.cancel(other));
  const JobStatus end = world.await_end(other);
  EXPECT_EQ(end.status, RunStatus::kCancelled);
  EXPECT_EQ(end.started_ns, 0);
  EXPECT_NE(end.ended_ns, 0);
  EXPECT_EQ(world.log(second), "");
  ASSERT_TRUE(world.platform.cancel(one));
  world.await_end(one);
}

TEST(LocalPlatform, WhatItWasToGoOnFromAndIsGoneWhenItHasItsGpusIsItsEnd) {
  GpuWorld world;
  const JobHandle one = world.submit(GpuWorld::with_gpus(script_spec(1, "sleep 60"), 4));
  world.await(one, [](const JobStatus& status) { return status.status == RunStatus::kRunning; });
  JobSpec second = GpuWorld::with_gpus(script_spec(2, "echo ran"), 1);
  second.resume = true;
  second.resumed =
      Checkpoint{"run0", "", std::make_shared<const Listing>(Listing{world.stored("ckpt/step", "7")})};
  const JobSpec third = GpuWorld::with_gpus(script_spec(3, "ls -d \"$TRAINMAKE_CHECKPOINT_DIR\""), 1);
  const JobHandle resumes = world.submit(second), begins = world.submit(third);
  for (const JobSpec& spec : {second, third})
    std::filesystem::remove_all(world.folder.path(cat("cache/checkpoints/", spec.checkpoint)));
  ASSERT_TRUE(world.platform.cancel(one));
  const JobStatus end = world.await_end(resumes);
  EXPECT_EQ(end.status, RunStatus::kFailed);
  EXPECT_EQ(end.started_ns, 0) << "the next try is made without being asked for";
  EXPECT_EQ(end.reason,
            cat("what it was to go on from was removed or changed before it began: `ckpt/step` in `",
                world.folder.path("cache/checkpoints/checkpoint2"),
                "`; the next try gets it there anew, or `resume = false` begins without"));
  EXPECT_EQ(world.log(second), "");
  EXPECT_EQ(world.await_end(begins).status, RunStatus::kSucceeded) << "it begins with nothing all the same";
}

TEST(LocalPlatform, GpusOfAKilledSupervisorAreFreeAgain) {
  GpuWorld world;
  const JobSpec first = GpuWorld::with_gpus(script_spec(1, "sleep 60"), 4),
                second = GpuWorld::with_gpus(script_spec(2, "echo ran"), 4);
  const JobHandle one = world.submit(first);
  world.await(one, [](const JobStatus& status) { return status.status == RunStatus::kRunning; });
  const auto started = read_file(real_file_system(), world.platform.folder_of("run1").started());
  ASSERT_EQ(kill(parse_start(*started)->supervisor, SIGKILL), 0);
  EXPECT_EQ(world.run(second).status, RunStatus::kSucceeded);
}

TEST(LocalPlatform, MoreGpusThanThereAreStartNothing) {
  GpuWorld world;
  const auto job = world.platform.submit(GpuWorld::with_gpus(script_spec(1, "echo ran"), 5), {});
  ASSERT_FALSE(job);
  EXPECT_EQ(world.processes.started, 0);
  EXPECT_FALSE(
      world.platform.admits({GpuWorld::with_gpus(script_spec(1, ""), 5).resources}, Asking::kNobody));
  EXPECT_TRUE(world.platform.admits({GpuWorld::with_gpus(script_spec(1, ""), 4).resources}, Asking::kNobody));
}

TEST(Gpus, EachNodeOfSeveralHasItsOwn) {
  const std::vector<Gpu> all = {{0, "a", 0}, {1, "b", 0}, {2, "c", 0}, {5, "d", 0}};
  EXPECT_EQ(variables_of(gpus_of_node(all, 0, 2)).at("CUDA_VISIBLE_DEVICES"), "0,1");
  EXPECT_EQ(variables_of(gpus_of_node(all, 1, 2)).at("CUDA_VISIBLE_DEVICES"), "2,5");
  EXPECT_EQ(variables_of({}).at("CUDA_VISIBLE_DEVICES"), "");
}

}  // namespace
}  // namespace trainmake
