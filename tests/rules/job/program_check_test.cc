// What is known before anything is built of the program that a job begins with, and of its secrets.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

struct World : JobWorld {
  World() {
    environment.variables["PATH"] = folder.path("bin");
    folder.write("bin/known", "");
    std::filesystem::permissions(folder.path("bin/known"), std::filesystem::perms::owner_all);
    Listing code;
    for (const auto& [key, mode] : {std::pair("bin/go", 0755U), {"bin/text", 0644U}, {"go", 0755U}}) {
      ListedFile file;
      file.key = key;
      file.mode = mode;
      code.push_back(std::move(file));
    }
    inputs.known.erase(kImage);
    inputs.carried[kCode] = std::make_shared<const Listing>(std::move(code));
  }

  // What is told of it, with its hint; "" when nothing is wrong.
  std::string told(std::vector<std::string> command) {
    set("command", list_of(std::move(command)));
    return told();
  }
  std::string told() {
    JobRule the_rule = rule();
    if (is_run) (void)the_rule.before_run(graph, [](const Event&) {});
    const auto passed = the_rule.preflight(subject());
    return passed ? "" : cat(passed.error().message, " | ", passed.error().hint);
  }

  bool is_run = true;  // and not a plan alone
};

TEST(KnownProgram, IsLookedForAmongTheCode) {
  World world;
  EXPECT_EQ(world.told({"./go"}), "");
  EXPECT_EQ(world.told({"bin/go", "x"}), "");
  EXPECT_EQ(world.told({"bin/gone"}),
            "There is no program `bin/gone` among the code | Did you mean `bin/go`?");
  EXPECT_EQ(world.told({"./bin"}), "There is no program `bin` among the code | Did you mean `bin/go`?");
  EXPECT_EQ(
      world.told({"./elsewhere"}),
      "There is no program `elsewhere` among the code | A program of the code is named by its path from the "
      "code's root");
  EXPECT_EQ(
      world.told({"bin/text"}),
      "`bin/text` among the code is no program: it is not executable | `chmod +x` makes it one, or name "
      "what reads it: `command = { \"sh\", \"bin/text\" }`");
  EXPECT_EQ(world.told({"../beside"}), "") << "that is the platform's";
}

TEST(KnownProgram, IsLookedForOnThisMachineWhereTheJobIsAProcessOfIt) {
  World world;
  const std::string path = world.folder.path("bin");
  EXPECT_EQ(world.told({"known"}), "");
  EXPECT_EQ(world.told({path_join(path, "known")}), "");
  EXPECT_EQ(world.told({path_join(path, "gone")}),
            cat("This machine has no program `", path, "/gone` | Install it, or name one that there is"));
  EXPECT_EQ(world.told({"gone"}), cat("This machine has no program `gone` in PATH (", path,
                                      ") | Install it, or add its folder to PATH"));
  EXPECT_EQ(world.told({"go"}),
            cat("This machine has no program `go` in PATH (", path, ") | That of the code is `./go`"));
  world.set("env", table_of({{"PATH", value_of(std::string("/nowhere"))}}));
  EXPECT_NE(world.told({"known"}), "");
  world.set("env", table_of({{"PATH", value_of(std::string("bin:/nowhere"))}}));
  EXPECT_EQ(world.told({"known"}), "") << "which may be in the code";
}

TEST(KnownProgram, OfAMainFileIsWhatReadsIt) {
  World world;
  world.set("command", {});
  world.give_code({{"t.sh", "#!/usr/bin/env gone\n"}}, "t.sh");
  EXPECT_TRUE(world.told().starts_with("This machine has no program `gone` in PATH ("));
  EXPECT_NE(world.told().find(", with which `t.sh` is run"), std::string::npos);
  world.give_code({{"t.sh", "#!/usr/bin/env known\n"}}, "t.sh");
  EXPECT_EQ(world.told(), "");
}

TEST(KnownProgram, OfAnImageIsKnownWhereThatHasTheCodeAlone) {
  World world;
  FakePlatform inside(world.folder.path("inside"), {.contract = default_contract(), .runs_images = true});
  const auto told = [&](const std::string& base, const std::vector<std::string>& command) {
    world.graph.targets[World::kImage].attributes = *table_of({{"base", value_of(base)}}).table();
    world.set("command", list_of(command));
    JobServices services{world.host,    world.workspace, world.space, "inside", world.blobs,
                         world.digests, world.runs,      inside,      "1"};
    const auto passed = JobRule(services).preflight(world.subject());
    return passed ? "" : passed.error().message;
  };
  EXPECT_EQ(told("python:3", {"python3"}), "");
  EXPECT_EQ(told("python:3", {"bin/gone"}), "");
  EXPECT_EQ(told("scratch", {"python3"}), "The image has no program `python3`");
  EXPECT_EQ(told("scratch", {"bin/gone"}), "There is no program `bin/gone` among the code");
  EXPECT_EQ(told("scratch", {"bin/go"}), "");
}

TEST(KnownSecret, IsAskedForBeforeARunAndByNoPlan) {
  World world;
  world.set("secrets", list_of({"TOKEN"}));
  EXPECT_EQ(world.told({"known"}),
            "Secret `TOKEN` of `job:j` is not set | Set the environment variable `TOKEN` and run again");
  world.is_run = false;
  EXPECT_EQ(world.told({"known"}), "");
  world.is_run = true;
  trainmake::Run run;
  run.id = "abc";
  run.label = world.job().label;
  run.status = RunStatus::kRunning;
  world.runs.runs = {run};
  EXPECT_EQ(world.told({"known"}), "") << "one that goes on is taken up without";
  EXPECT_EQ(world.told({"gone"}), "") << "and had its program";
  world.runs.runs.clear();
  world.environment.variables["TOKEN"] = "token";
  EXPECT_EQ(world.told({"known"}), "");
}

}  // namespace
}  // namespace trainmake
