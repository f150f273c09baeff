// What a job leaves running: which processes are its own, and that they end with it or before the next.
#include "rules/job/platforms/local/leftovers.h"

#include <signal.h>

#include "engine/base/file_lock.h"
#include "tests/rules/job/local_world.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

using Says = Witness::Says;

constexpr int kSupervisor = 100;
const Start kStart{kSupervisor, 1, 50, "boot", 0};

std::vector<int> numbers_of(const std::vector<Process>& processes) {
  std::vector<int> numbers;
  for (const Process& process : processes) numbers.push_back(process.number);
  return numbers;
}

std::vector<int> members(const std::vector<Witness>& witnesses, bool same_boot = true) {
  return numbers_of(members_of(witnesses, kStart, same_boot));
}

TEST(Leftovers, WhatCarriesTheMarksIsOursWhereverItWent) {
  EXPECT_EQ(members({{{7, 1, 7, 60}, Says::kOurs}, {{8, 1, 8, 60}, Says::kAnothers}}), std::vector<int>{7});
  EXPECT_EQ(members({{{7, 1, 7, 60}, Says::kOurs}}, false), std::vector<int>{7});
}

TEST(Leftovers, SoIsWhatDescendsFromIt) {
  EXPECT_EQ(
      members(
          {{{9, 8, 9, 60}, Says::kAnothers}, {{8, 7, 7, 60}, Says::kAnothers}, {{7, 1, 7, 60}, Says::kOurs}}),
      (std::vector<int>{7, 8, 9}));
}

TEST(Leftovers, OfItsSessionIsWhatSaysNothingElse) {
  EXPECT_EQ(members({{{7, 1, kSupervisor, 60}, Says::kNothing}, {{8, 1, kSupervisor, 60}, Says::kAnothers}}),
            std::vector<int>{7});
}

TEST(Leftovers, OneMarkedProcessProvesTheSession) {
  EXPECT_EQ(members({{{7, 1, kSupervisor, 60}, Says::kAnothers}, {{8, 1, kSupervisor, 60}, Says::kOurs}}),
            (std::vector<int>{7, 8}));
}

TEST(Leftovers, ALaterSessionOfTheSameNumberIsNotOurs) {
  const Witness member{{101, kSupervisor, kSupervisor, 900}, Says::kNothing};
  EXPECT_EQ(members({{{kSupervisor, 1, kSupervisor, 890}, Says::kNothing}, member}), std::vector<int>{});
  EXPECT_EQ(members({member}, false), std::vector<int>{}) << "after a restart of the machine";
  EXPECT_EQ(members({{{99, 1, kSupervisor, 49}, Says::kNothing}}), std::vector<int>{}) << "older than it";
  Start of_no_session = kStart;
  of_no_session.birth = 0;
  EXPECT_TRUE(members_of({member}, of_no_session, true).empty());
}

TEST(Leftovers, ASessionOfAnUnknownBootIsNotOurs) {
  MemFileSystem files;
  ASSERT_TRUE(write_file(files, "/proc/7/stat",
                         "7 (sh) S 1 7 100 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 60 5349376 200\n"));
  const RunFolder run{"/runs/1"};
  files.put_folder(run.top);
  Start start = kStart;
  start.folder = files.look(run.top)->inode;
  start.boot = "";
  EXPECT_EQ(numbers_of(*leftovers_of(files, run, start)), std::vector<int>{});
  start.boot = kStart.boot;
  ASSERT_TRUE(write_file(files, "/proc/sys/kernel/random/boot_id", "boot\n"));
  EXPECT_EQ(numbers_of(*leftovers_of(files, run, start)), std::vector<int>{7});
  files.put_folder("/copy/runs/1");
  EXPECT_EQ(numbers_of(*leftovers_of(files, {"/copy/runs/1"}, start)), std::vector<int>{}) << "a copy";
}

// Processes in a list, which end when they are asked or killed, or refuse either.
class ListedProcesses final : public Processes {
 public:
  Result<ProcessResult> run(const Command&, std::stop_token) override { return fail(step_error("None")); }
  Result<int> start_detached(const Command&) override { return fail(step_error("None")); }
  Result<bool> send(const Process& process, Signal signal) override {
    sent.push_back(cat(process.number, signal == Signal::kKill ? " kill" : " term"));
    if (process.number == refuses) return fail(step_error("Not permitted"));
    if (process.number == ends_slowly && signal == Signal::kTerminate) return true;
    std::erase_if(living, [&](const Process& other) { return other.is(process); });
    return true;
  }

  std::vector<Process> living;
  int refuses = 0;
  int ends_slowly = 0;  // only when it is killed
  std::vector<std::string> sent;
};

TEST(Leftovers, OneThatIsHandedToAnotherParentIsAskedOnce) {
  ListedProcesses processes;
  processes.living = {{7, 5, 5, 60}};
  processes.ends_slowly = 7;
  HastyClock clock;
  int looks = 0;
  const FindProcesses find = [&]() -> Result<std::vector<Process>> {
    if (++looks == 2) processes.living[0].parent = 1;
    if (looks == 3) processes.living.clear();
    return processes.living;
  };
  EXPECT_TRUE(end_all(find, processes, clock));
  EXPECT_EQ(processes.sent, std::vector<std::string>{"7 term"});
}

TEST(Leftovers, OneThatRefusesKeepsNoOtherAlive) {
  ListedProcesses processes;
  processes.living = {{7, 1, 5, 60}, {8, 1, 5, 60}, {9, 1, 5, 60}};
  processes.refuses = 7;
  processes.ends_slowly = 9;
  HastyClock clock;
  const auto ended =
      end_all([&]() -> Result<std::vector<Process>> { return processes.living; }, processes, clock);
  EXPECT_EQ(numbers_of(processes.living), std::vector<int>{7});
  EXPECT_EQ(processes.sent, (std::vector<std::string>{"7 term", "8 term", "9 term", "9 kill"}));
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message, "Process 7 of the job cannot be ended: Not permitted");
}

// A job whose children each write their numbers into `numbers` and then go on for ever.
class Abandoned {
 public:
  // `starters` are what each child is started with; `on_term` is what it does when it is asked to end.
  explicit Abandoned(const std::vector<std::string>& starters, const std::string& on_term = "exit") {
    std::string script;
    for (const std::string& starter : starters)
      script += cat(starter, " sh -c 'trap \"", on_term, "\" TERM; echo $$ >> ", world.folder.path("numbers"),
                    "; while :; do sleep 0.1; done' & ");
    job = world.submit(script_spec(1, script + "wait"));
    world.await(job, [&](const JobStatus&) { return numbers().size() == starters.size(); });
  }
  ~Abandoned() {
    for (const int number : numbers()) ::kill(number, SIGKILL);
  }
  Abandoned(const Abandoned&) = delete;
  Abandoned& operator=(const Abandoned&) = delete;

  void kill_supervisor() {
    ASSERT_EQ(::kill(std::stoi(job.job), SIGKILL), 0);
    EXPECT_EQ(world.await_end(job).status, RunStatus::kLost);
  }

  std::vector<int> numbers() const {
    std::vector<int> numbers;
    for (const std::string& line : split(trim(world.folder.read("numbers")), '\n'))
      if (!line.empty()) numbers.push_back(std::stoi(line));
    return numbers;
  }
  std::size_t living() const {
    std::size_t count = 0;
    for (const int number : numbers()) count += find_process(real_file_system(), number) ? 1U : 0U;
    return count;
  }

  LocalWorld world;
  JobHandle job;
};

TEST(LocalPlatform, WhatAKilledSupervisorLeavesIsEndedByCancel) {
  Abandoned left({"", "setsid", "env -i"});
  left.kill_supervisor();
  EXPECT_EQ(left.living(), 3U);
  const auto cancelled = left.world.platform.cancel(left.job);
  EXPECT_TRUE(cancelled) << cancelled.error().message;
  EXPECT_EQ(left.living(), 0U);
  EXPECT_EQ(left.world.platform.poll(left.job)->status, RunStatus::kLost);
  EXPECT_TRUE(left.world.platform.cancel(left.job)) << "there is nothing any more";
}

TEST(LocalPlatform, WhatDoesNotListenIsKilled) {
  Abandoned left({""}, "");
  left.kill_supervisor();
  HastyClock hasty;
  Host host{real_file_system(), left.world.processes, left.world.http, hasty, left.world.environment};
  LocalPlatform platform(host, left.world.workspace, left.world.blobs);
  EXPECT_TRUE(platform.cancel(left.job));
  EXPECT_EQ(left.living(), 0U);
}

TEST(LocalPlatform, WhatMayNotBeEndedIsTold) {
  Abandoned left({""});
  left.kill_supervisor();
  left.world.processes.refuse_to_send = true;
  const auto cancelled = left.world.platform.cancel(left.job);
  ASSERT_FALSE(cancelled);
  EXPECT_NE(cancelled.error().message.find(cat(left.numbers()[0])), std::string::npos)
      << cancelled.error().message;
  EXPECT_EQ(left.living(), 1U);
}

TEST(LocalPlatform, WhatRunsElsewhereUnderTheSameIdIsLetBe) {
  Abandoned left({"", "setsid"});
  Abandoned copy({"", "setsid"});
  left.kill_supervisor();
  EXPECT_TRUE(left.world.platform.cancel(left.job));
  EXPECT_EQ(left.living(), 0U);
  EXPECT_EQ(copy.living(), 2U);
  EXPECT_EQ(copy.world.platform.poll(copy.job)->status, RunStatus::kRunning);
  EXPECT_TRUE(copy.world.platform.cancel(copy.job));
  EXPECT_EQ(copy.world.await_end(copy.job).status, RunStatus::kCancelled);
}

// The platform of a workspace that lies elsewhere.
struct LocalElsewhere {
  LocalElsewhere(LocalWorld& world, const std::string& root)
      : workspace{root, path_join(root, "cache"), ""},
        blobs(real_file_system(), workspace.cache),
        platform(world.host, workspace, blobs) {}
  Workspace workspace;
  Blobs blobs;
  LocalPlatform platform;
};

void copy_tree(const std::string& from, const std::string& to) {
  std::filesystem::copy(
      from, to, std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
}

TEST(LocalPlatform, ACopyOfItsFolderLetsBeWhatRunsInTheOriginal) {
  Abandoned original({"", "setsid", "env -i"});
  ScratchFolder place;
  LocalElsewhere copy(original.world, place.path("copy"));
  copy_tree(original.world.folder.path(), copy.workspace.root);
  EXPECT_EQ(copy.platform.poll(original.job)->status, RunStatus::kLost);
  EXPECT_TRUE(copy.platform.cancel(original.job));
  EXPECT_EQ(original.living(), 3U);
  EXPECT_EQ(original.world.platform.poll(original.job)->status, RunStatus::kRunning);
  original.kill_supervisor();
  EXPECT_TRUE(copy.platform.cancel(original.job));
  EXPECT_EQ(original.living(), 3U);
}

TEST(LocalPlatform, WhatAKilledSupervisorLeavesIsEndedWhereItsFolderWasMoved) {
  Abandoned left({"", "setsid", "env -i"});
  left.kill_supervisor();
  ScratchFolder place;
  LocalElsewhere moved(left.world, place.path("moved"));
  std::filesystem::create_directories(moved.workspace.root);
  std::filesystem::rename(left.world.folder.path("cache"), moved.workspace.cache);
  EXPECT_TRUE(moved.platform.cancel(left.job));
  EXPECT_EQ(left.living(), 0U);
}

TEST(LocalPlatform, SoItIsWhereACopyTookThePlaceOfItsFolder) {
  Abandoned left({"", "setsid", "env -i"});
  left.kill_supervisor();
  copy_tree(left.world.folder.path("cache"), left.world.folder.path("copy"));
  std::filesystem::rename(left.world.folder.path("cache"), left.world.folder.path("gone"));
  std::filesystem::rename(left.world.folder.path("copy"), left.world.folder.path("cache"));
  EXPECT_TRUE(left.world.platform.cancel(left.job));
  EXPECT_EQ(left.living(), 0U);
}

TEST(LocalPlatform, CancelLetsBeWhatHasTheNumberOfASupervisorElsewhere) {
  const int bystander = ::fork();
  if (bystander == 0) {
    for (;;) ::pause();
  }
  const Process process = *find_process(real_file_system(), bystander);
  const std::string boot = boot_of(real_file_system());
  const Start elsewhere[] = {{bystander, 1, process.birth + 1, boot},
                             {bystander, 1, process.birth, cat(boot, "1")},
                             {bystander, 1, process.birth, ""},
                             {bystander, 1, 0, ""}};
  for (const Start& start : elsewhere) {
    LocalWorld world;
    const RunFolder run = world.platform.folder_of("run1");
    const auto held = try_lock(run.lock(), FileLock::Mode::kExclusive);
    ASSERT_TRUE(write_file(real_file_system(), run.started(), render(start)));
    const auto cancelled = world.platform.cancel({"run1", "trainmake-run1", ""});
    ASSERT_FALSE(cancelled) << render(start);
    EXPECT_NE(cancelled.error().message.find("another machine"), std::string::npos)
        << cancelled.error().message;
    EXPECT_TRUE(find_process(real_file_system(), bystander));
  }
  ::kill(bystander, SIGKILL);
  ::waitpid(bystander, nullptr, 0);
}

TEST(LocalPlatform, CancelSaysWhyASupervisorMayNotBeEnded) {
  LocalWorld world;
  const JobHandle job = world.submit(script_spec(1, "exec sleep 60"));
  world.processes.refuse_to_send = true;
  const auto refused = world.platform.cancel(job);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "Not permitted");
  world.processes.refuse_to_send = false;
  EXPECT_TRUE(world.platform.cancel(job));
  EXPECT_EQ(world.await_end(job).status, RunStatus::kCancelled);
}

TEST(LocalPlatform, ACancelledJobEndsWithWhatLeftItsGroup) {
  Abandoned left({"", "setsid", "setsid -f env -i"});
  EXPECT_TRUE(left.world.platform.cancel(left.job));
  EXPECT_EQ(left.world.await_end(left.job).status, RunStatus::kCancelled);
  EXPECT_EQ(left.living(), 0U);
}

TEST(LocalPlatform, WhatAJobLeavesRunningEndsWithIt) {
  LocalWorld world;
  const JobSpec spec = script_spec(1,
                                   "sleep 60 & echo $!; setsid sh -c 'echo $$; exec sleep 60' & env -i "
                                   "setsid -f sh -c 'echo $$; exec sleep 60'"
                                   "; until test $(wc -l < ../log.txt) = 3; do sleep 0.01; done");
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  const std::vector<std::string> lines = split(trim(world.log(spec)), '\n');
  EXPECT_EQ(lines.size(), 3U);
  for (const std::string& line : lines)
    EXPECT_FALSE(find_process(real_file_system(), std::stoi(line))) << line;
}

TEST(LocalPlatform, WhatAJobLeavesHasTheTimeToFinishItsWork) {
  LocalWorld world;
  const JobSpec spec = script_spec(
      1, cat("sh -c 'trap \"trap \\\"\\\" TERM; sleep 1; echo finished > ", world.folder.path("work"),
             "; exit\" TERM; echo ready; while :; do sleep 0.01; done' & "
             "until grep -q ready ../log.txt; do sleep 0.01; done"));
  EXPECT_EQ(world.run(spec).status, RunStatus::kSucceeded);
  EXPECT_EQ(world.folder.read("work"), "finished\n");
}

}  // namespace
}  // namespace trainmake
