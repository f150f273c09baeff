// Real containers of busybox, with every runtime that works here; skipped, saying why, where none does.
#include "engine/container/container.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "engine/base/resource_limits.h"
#include "engine/base/text.h"
#include "engine/container/runtime.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

constexpr const char* kBusybox = "/bin/busybox";

struct Ended {
  int exit_code = 0;
  std::string output;
};

class Containers : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kBusybox)) GTEST_SKIP() << "there is no busybox-static";
    const Result<RuntimeSearch> search = search_runtime(host_, scratch_.path("try"), Tried::kUntilOneWorks);
    ASSERT_TRUE(search) << search.error().message;
    if (!search->found) GTEST_SKIP() << why(*search);
    runtime_ = *search->found;
    std::filesystem::create_directories(scratch_.path("base/bin"));
    std::filesystem::copy_file(kBusybox, scratch_.path("base/bin/busybox"));
    for (const char* name : {"sh", "cat", "id", "rm", "ls", "mkdir", "sleep", "touch", "ip", "chown", "grep"})
      std::filesystem::create_symlink("busybox", scratch_.path(cat("base/bin/", name)));
  }

  // overlayfs leaves a folder that nobody may read.
  void TearDown() override { EXPECT_TRUE(host_.files.remove(scratch_.path("container"))); }

  static std::string why(const RuntimeSearch& search) {
    std::string text;
    for (const RuntimeSearch::Other& other : search.others) text += other.name + " " + other.why_not + "; ";
    return text;
  }

  ContainerRequest request(const std::string& command) const {
    return {{scratch_.path("base")},   {"/bin/sh", "-c", command}, {}, "", "", {}, {}, false,
            scratch_.path("container")};
  }

  Ended run(const ContainerRequest& request) {
    EXPECT_TRUE(host_.files.remove(request.scratch));
    Result<Child> child = start_container(host_.files, runtime_, request);
    Ended ended;
    if (!child) {
      ended.output = child.error().message;
      ended.exit_code = -1;
      return ended;
    }
    while (!child->ended()) EXPECT_TRUE(child->read(ended.output, std::chrono::milliseconds(100)));
    while (*child->read(ended.output, std::chrono::milliseconds(100))) continue;
    ended.exit_code = child->ended()->exit_code;
    return ended;
  }

  std::string run(const std::string& command) { return run(request(command)).output; }

  ScratchFolder scratch_;
  Environment environment_ = Environment::of_process();
  Host host_{real_file_system(), real_processes(), real_http(), real_clock(), environment_};
  Runtime runtime_;
};

TEST_F(Containers, RunACommandAsRootOfTheirOwn) {
  const Ended ended = run(request("id -u; echo $HOME; echo $$; exit 7"));
  EXPECT_EQ(ended.output, "0\n/root\n1\n");
  EXPECT_EQ(ended.exit_code, 7);
}

TEST_F(Containers, EveryRuntimeThatIsInstalledRunsTheSame) {
  ContainerRequest what =
      request("echo $A; cat /in; cat /run/secrets/S; id -u; rm /bin/rm; echo made > /out/made");
  scratch_.write("input", "from outside\n");
  what.environment["A"] = "b c";
  what.mounts.push_back({scratch_.path("input"), "/in"});
  std::filesystem::create_directory(scratch_.path("to"));
  what.mounts.push_back({scratch_.path("to"), "/out", true});
  what.secrets["S"] = "s3cr3t\n";
  int ran = 0;
  for (const auto& [kind, program] :
       {std::pair(Runtime::Kind::kCrun, "/usr/bin/crun"), std::pair(Runtime::Kind::kRunc, "/usr/sbin/runc"),
        std::pair(Runtime::Kind::kBubblewrap, "/usr/bin/bwrap"),
        std::pair(Runtime::Kind::kApptainer, "/usr/bin/apptainer")}) {
    if (!std::filesystem::exists(program)) continue;
    runtime_ = {kind, program};
    for (const bool is_first : {true, false}) {
      if (is_first && kind == Runtime::Kind::kApptainer) continue;  // it is for jobs alone
      what.is_first = is_first;
      const Ended ended = run(what);
      EXPECT_EQ(ended.output, "b c\nfrom outside\ns3cr3t\n0\n") << program;
      EXPECT_EQ(ended.exit_code, 0) << program;
      EXPECT_EQ(scratch_.read("to/made"), "made\n") << program;
      std::filesystem::remove(scratch_.path("to/made"));
    }
    ++ran;
  }
  EXPECT_GE(ran, 1);
}

TEST_F(Containers, EndWithTheirCommandWhateverThatLeft) {
  const auto cgroups = [] {
    std::vector<std::string> ours;
    for (const CgroupPlace& place :
         cgroup_places(*read_file(real_file_system(), "/proc/self/cgroup"), "pids"))
      for (const auto& entry : std::filesystem::directory_iterator(place.own))
        if (entry.path().filename().string().starts_with(cat("trainmake-", process_id(), "-")))
          ours.push_back(entry.path());
    return ours;
  };
  for (const auto& [kind, program] :
       {std::pair(Runtime::Kind::kCrun, "/usr/bin/crun"), std::pair(Runtime::Kind::kRunc, "/usr/sbin/runc"),
        std::pair(Runtime::Kind::kBubblewrap, "/usr/bin/bwrap")}) {
    if (!std::filesystem::exists(program)) continue;
    runtime_ = {kind, program};
    for (const auto& [command, exit_code] :
         {std::pair("sleep 60 & echo ends; exit 3", 3), std::pair("sleep 60 & echo ends; kill -9 $$", 137)}) {
      ContainerRequest what = request(command);
      what.is_first = false;
      const std::int64_t began = host_.clock.steady_ns();
      const Ended ended = run(what);
      EXPECT_EQ(ended.output, "ends\n") << program;
      EXPECT_EQ(ended.exit_code, exit_code) << program;
      EXPECT_LT(host_.clock.steady_ns() - began, 30'000'000'000) << program;
      EXPECT_EQ(cgroups(), std::vector<std::string>()) << program;
    }
  }
}

TEST_F(Containers, HaveTheDevicesThatTheyAreGivenAndWhatGoesWithThem) {
  ContainerRequest what = request(
      "echo gone > /dev/given; ls /dev | grep -c given; cat /usr/lib/driver.so.1 /usr/lib/theirs; "
      "(echo x > /usr/lib/driver.so.1) 2>/dev/null || echo read-only; driver");
  scratch_.write("driver.so.1.2", "library\n");
  scratch_.write("base/usr/lib/theirs", "of the image\n");
  scratch_.write("driver", "#!/bin/sh\necho program\n");
  std::filesystem::permissions(scratch_.path("driver"), std::filesystem::perms(0755));
  what.devices.nodes = {{"/dev/null", "/dev/given"}};
  what.devices.mounts = {{scratch_.path("driver.so.1.2"), "/usr/lib/driver.so.1.2"},
                         {scratch_.path("driver"), "/usr/bin/driver"}};
  what.devices.links = {{"/usr/lib/driver.so.1", "driver.so.1.2"}, {"/usr/lib/theirs", "driver.so.1.2"}};
  EXPECT_EQ(run(what).output, "1\nlibrary\nof the image\nread-only\nprogram\n");
  what.arguments = {"driver"};
  EXPECT_EQ(run(what).output, "program\n");
}

TEST_F(Containers, KeepWhatTheyChangeApart) {
  run("echo new > /made; rm /bin/rm");
  EXPECT_EQ(scratch_.read("container/upper/made"), "new\n");
  EXPECT_TRUE(scratch_.has("base/bin/busybox"));
  EXPECT_FALSE(scratch_.has("base/made"));
  EXPECT_TRUE(std::filesystem::is_symlink(scratch_.path("base/bin/rm")));
}

TEST_F(Containers, ChangeNothingByBeingStarted) {
  ContainerRequest what = request("ls /proc /dev /sys /run /tmp /etc >/dev/null");
  scratch_.write("inputs/a", "x");
  what.mounts.push_back({scratch_.path("inputs/a"), "/work/deep/a"});
  what.mounts.push_back({scratch_.path("inputs"), "/work/deep/folder"});
  what.folder = "/work/deep";
  what.network = true;
  what.secrets["S"] = "s3cr3t";
  EXPECT_EQ(run(what).output, "");
  EXPECT_TRUE(std::filesystem::is_empty(changes_of(what)));
}

TEST_F(Containers, SeeMountsReadOnlyInTheirWorkingFolder) {
  ContainerRequest what = request("cat a; echo y > a; echo $?");
  scratch_.write("a", "x\n");
  what.folder = "/work";
  what.mounts.push_back({scratch_.path("a"), "/work/a"});
  const Ended ended = run(what);
  EXPECT_TRUE(ended.output.starts_with("x\n")) << ended.output;
  EXPECT_TRUE(ended.output.ends_with("1\n")) << ended.output;
  EXPECT_EQ(scratch_.read("a"), "x\n");
}

TEST_F(Containers, HaveNoNetworkUnlessAsked) {
  EXPECT_EQ(run("ls /sys/class/net >/dev/null; ip -o link | cat").find("lo:") == std::string::npos, false);
  const std::string links = run("ip -o link");
  EXPECT_EQ(std::count(links.begin(), links.end(), '\n'), 1) << links;
  EXPECT_NE(links.find("LOWER_UP"), std::string::npos) << links;
}

TEST_F(Containers, KeepSecretsInMemoryAlone) {
  ContainerRequest what = request("cat /run/secrets/TOKEN; echo $TOKEN; sleep 0");
  what.secrets["TOKEN"] = "s3cr3t-value";
  EXPECT_EQ(run(what).output, "s3cr3t-values3cr3t-value\n");
  EXPECT_TRUE(host_.files.remove(scratch_.path("container/work")));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path("container"))) {
    if (entry.is_regular_file() && !entry.is_symlink()) {
      EXPECT_EQ(scratch_.read(entry.path().lexically_relative(scratch_.path()).string()).find("s3cr3t"),
                std::string::npos)
          << entry.path();
    }
  }
}

TEST_F(Containers, AreGoneWithTheirChild) {
  const std::string mark = cat("314", process_id());
  {
    Result<Child> child =
        start_container(host_.files, runtime_, request(cat("echo up; sleep ", mark, " & sleep ", mark)));
    ASSERT_TRUE(child) << child.error().message;
    std::string said;
    while (said.find("up\n") == std::string::npos && !child->ended())
      ASSERT_TRUE(child->read(said, std::chrono::seconds(1)));
    ASSERT_EQ(said, "up\n");
  }
  const Result<std::vector<Process>> living = living_processes(host_.files);
  ASSERT_TRUE(living);
  for (const Process& process : *living) {
    const auto words = read_file(host_.files, cat("/proc/", process.number, "/cmdline"));
    EXPECT_EQ(words ? words->find(mark) : std::string::npos, std::string::npos) << process.number;
  }
  EXPECT_EQ(read_file(host_.files, "/proc/self/mounts")->find(scratch_.path()), std::string::npos);
}

TEST_F(Containers, NeedAShell) {
  ContainerRequest what = request("true");
  scratch_.write("empty/a", "x");
  what.layers = {scratch_.path("empty")};
  EXPECT_EQ(run(what).output, "The image has no `/bin/sh` to run a command with");
}

TEST_F(Containers, LookTheirProgramUpInTheirPath) {
  ContainerRequest what = request("");
  what.arguments = {"echo-no", "a"};
  EXPECT_EQ(run(what).output.substr(0, 49), "The image has no program `echo-no` in its PATH `/");
  what.arguments = {"ls", "/bin/sh"};
  EXPECT_EQ(run(what).output, "/bin/sh\n");
  what.environment["PATH"] = "/nowhere";
  EXPECT_EQ(run(what).exit_code, -1);
}

TEST_F(Containers, LieOnManyLayers) {
  ContainerRequest what = request("cat /f0 /f129");
  for (int i = 0; i < 130; ++i) {
    const std::string layer = cat("some-long-name-of-a-layer-so-that-all-are-beyond-a-page/", i);
    scratch_.write(cat(layer, "/f", i), cat(i, "\n"));
    what.layers.push_back(scratch_.path(layer));
  }
  EXPECT_EQ(run(what).output, "0\n129\n");
}

TEST_F(Containers, RunAsTheUserOfTheImage) {
  ContainerRequest what = request("id -u; id -g");
  what.user = "1000:1001";
  const Ended ended = run(what);
  if (getuid() == 0 && runtime_.kind != Runtime::Kind::kBubblewrap) {
    EXPECT_EQ(ended.output, "1000\n1001\n");
  } else {
    EXPECT_EQ(ended.exit_code, -1);
  }
}

// By name, why the first that works is not this one.
std::map<std::string, std::string> others_of(const RuntimeSearch& search) {
  std::map<std::string, std::string> others;
  for (const RuntimeSearch::Other& other : search.others) others[other.name] = other.why_not;
  return others;
}

TEST_F(Containers, EachRuntimeSaysWhyItIsNotTheOne) {
  Environment environment{{{"PATH", scratch_.path("programs")}}};
  Host host{host_.files, host_.processes, host_.http, host_.clock, environment};
  scratch_.write("programs/docker", "#!/bin/sh\n");
  std::filesystem::permissions(scratch_.path("programs/docker"), std::filesystem::perms::owner_all);
  const Result<RuntimeSearch> all = search_runtime(host, scratch_.path("try"), Tried::kAll);
  ASSERT_TRUE(all) << all.error().message;
  const std::map<std::string, std::string> others = others_of(*all);
  EXPECT_EQ(others.size() + 1, 5U);  // crun, runc, bubblewrap, podman and docker, less the one that works
  EXPECT_NE(others.at("docker").find("what a daemon started outlives whoever asked"), std::string::npos);
  const Result<RuntimeSearch> first = search_runtime(host, scratch_.path("try"), Tried::kUntilOneWorks);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE(others_of(*first).contains("docker"));
}

TEST_F(Containers, WhatPodmanStartsThemWithIsTriedWithoutPodman) {
  if (runtime_.kind == Runtime::Kind::kBubblewrap) GTEST_SKIP() << "podman starts crun or runc";
  Environment environment{{{"PATH", scratch_.path("programs")}}};
  Host host{host_.files, host_.processes, host_.http, host_.clock, environment};
  const std::string name(name_of(runtime_.kind));
  const std::string hidden = scratch_.path(cat("hidden/", name));
  std::filesystem::create_directories(scratch_.path("hidden"));
  std::filesystem::copy_file(runtime_.program, hidden);
  const auto podman_says = [&](const std::string& text) {
    scratch_.write("programs/podman", cat("#!/bin/sh\n", text, "\n"));
    std::filesystem::permissions(scratch_.path("programs/podman"), std::filesystem::perms::owner_all);
    return others_of(*search_runtime(host, scratch_.path("try"), Tried::kAll));
  };
  EXPECT_EQ(podman_says(cat("echo ", hidden)).at(cat("podman's ", name)), "works, too");
  EXPECT_EQ(podman_says(cat("echo ", runtime_.program)).at("podman"),
            cat("starts ", runtime_.program, ", as is done without it"));
  EXPECT_EQ(podman_says("echo /opt/kata").at("podman"), "starts /opt/kata, which is neither crun nor runc");
  EXPECT_EQ(podman_says("echo no home >&2; exit 125").at("podman"),
            "does not say what it starts containers with: no home");
}

TEST_F(Containers, TheRuntimeThatWorksIsRemembered) {
  const std::string memo = scratch_.path("runtime.json");
  const Result<Runtime> first = find_runtime(host_, scratch_.path("search"), memo);
  ASSERT_TRUE(first) << first.error().message;
  const Result<Runtime> second = find_runtime(host_, "/nowhere/that/can/be/written", memo);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(first->program, second->program);
}

TEST_F(Containers, OneThatIsWishedForIsTheOnlyOneThatWillDo) {
  const std::string memo = scratch_.path("runtime.json");
  ASSERT_TRUE(find_runtime(host_, scratch_.path("search"), memo));
  Environment environment{{{"PATH", scratch_.path("programs")}}};
  Host host{host_.files, host_.processes, host_.http, host_.clock, environment};
  scratch_.write("programs/apptainer", "#!/bin/sh\necho it is broken; exit 3\n");
  std::filesystem::permissions(scratch_.path("programs/apptainer"), std::filesystem::perms::owner_all);
  const auto wished = find_runtime(host, scratch_.path("search"), memo, {"apptainer", true});
  ASSERT_FALSE(wished);
  EXPECT_EQ(wished.error().message,
            "No container can be run here: apptainer does not work here: it is broken");
  const auto first =
      find_runtime(host_, scratch_.path("search"), memo, {std::string(name_of(runtime_.kind)), true});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->kind, runtime_.kind);
}

TEST_F(Containers, ApptainerIsForJobsAlone) {
  Environment environment{{{"PATH", scratch_.path("programs")}}};
  Host host{host_.files, host_.processes, host_.http, host_.clock, environment};
  scratch_.write("programs/apptainer", "#!/bin/sh\nexit 0\n");
  std::filesystem::permissions(scratch_.path("programs/apptainer"), std::filesystem::perms::owner_all);
  const auto others = [&](const RuntimeWish& wish) {
    return others_of(*search_runtime(host, scratch_.path("try"), Tried::kAll, wish));
  };
  EXPECT_FALSE(others({}).contains("apptainer"));
  EXPECT_EQ(others({.for_jobs = true}).at("apptainer"), "works, too");
}

}  // namespace
}  // namespace trainmake
