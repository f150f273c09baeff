#include "rules/job/contracts.h"

#include <gtest/gtest.h>

#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

const Folders kFolders{"/c", "/d", "/o", "/k", "/l", "/h", "/p.json"};

std::vector<std::string> arguments_of(const JobSpec& spec) {
  return render(default_contract(), spec, kFolders, "/bin").arguments;
}

TEST(Contract, ArgsThenParamsEachAsAFlag) {
  JobSpec spec;
  spec.main = "show.py";
  spec.starter = {{"python3"}};
  spec.args =
      table_of({{"b", value_of(std::int64_t{2})}, {"a", value_of(std::string("x y"))}}).table()->fields;
  spec.params = table_of({{"lr", value_of(0.1)},
                          {"deep", value_of(true)},
                          {"flat", value_of(false)},
                          {"sizes", list_of({"3", "4"})}})
                    .table()
                    ->fields;
  EXPECT_EQ(arguments_of(spec), (std::vector<std::string>{"python3", "/c/show.py", "--a", "x y", "--b", "2",
                                                          "--deep", "--lr", "0.1", "--sizes", "3", "4"}));
}

TEST(Contract, PlacedPathsAreCompleted) {
  JobSpec spec;
  spec.command = {value_of(std::string("run")), value_of(PlacedPath{Place::kOutput, "x"})};
  spec.args = table_of({{"solver", value_of(PlacedPath{Place::kData, "solver.json"})},
                        {"top", value_of(PlacedPath{Place::kCode, ""})}})
                  .table()
                  ->fields;
  EXPECT_EQ(arguments_of(spec),
            (std::vector<std::string>{"run", "/o/x", "--solver", "/d/solver.json", "--top", "/c"}));
}

TEST(Contract, TheEnvironmentIsWhatIsSaidAndNothingElse) {
  JobSpec spec;
  spec.run = "r1";
  spec.label = "//job:j";
  spec.environment = {{"MODE", "fast"}, {"HOME", "/mine"}};
  const RenderedJob job = render(default_contract(), spec, kFolders, "/bin");
  EXPECT_EQ(job.environment, (std::map<std::string, std::string>{{"MODE", "fast"},
                                                                 {"HOME", "/mine"},
                                                                 {"PATH", "/bin"},
                                                                 {"LANG", "C.UTF-8"},
                                                                 {"TRAINMAKE_CODE_DIR", "/c"},
                                                                 {"TRAINMAKE_DATA_DIR", "/d"},
                                                                 {"TRAINMAKE_OUTPUT_DIR", "/o"},
                                                                 {"TRAINMAKE_CHECKPOINT_DIR", "/k"},
                                                                 {"TRAINMAKE_LOG_DIR", "/l"},
                                                                 {"TRAINMAKE_LABEL", "//job:j"},
                                                                 {"TRAINMAKE_RUN", "r1"},
                                                                 {"TRAINMAKE_PARAMS", "/p.json"}}));
  EXPECT_EQ(job.folder, "/c");
}

TEST(Contract, PythonPrintsAtOnceUnlessToldOtherwise) {
  struct Case {
    std::vector<std::string> before;
    bool at_once;
  };
  const Case cases[] = {
      {{"python3"}, true},
      {{"/opt/bin/python3.11", "-O"}, true},
      {{"/usr/bin/env", "python3"}, true},
      {{"/usr/bin/env", "-S MODE=1 python3 -O"}, true},
      {{"/usr/bin/env"}, false},
      {{"/usr/bin/env", "bash"}, false},
      {{"/usr/bin/pythonic"}, false},
      {{"sh"}, false},
      {{}, false},
  };
  for (const Case& each : cases) {
    JobSpec spec;
    spec.main = "main";
    spec.starter = {each.before};
    EXPECT_EQ(render(default_contract(), spec, kFolders, "/bin").environment.contains("PYTHONUNBUFFERED"),
              each.at_once)
        << join(each.before, " ");
    spec.environment = {{"PYTHONUNBUFFERED", ""}};
    EXPECT_EQ(render(default_contract(), spec, kFolders, "/bin").environment.at("PYTHONUNBUFFERED"), "");
  }
  JobSpec spec;
  spec.command = {value_of(std::string("python3")), value_of(std::string("main.py"))};
  EXPECT_EQ(render(default_contract(), spec, kFolders, "/bin").environment.at("PYTHONUNBUFFERED"), "1");
}

TEST(Contract, ParamsAreAJsonObject) {
  JobSpec spec;
  EXPECT_EQ(params_json(spec.params, kFolders), "{}");
  spec.params = table_of({{"lr", value_of(0.1)},
                          {"sizes", list_of({"3"})},
                          {"from", value_of(PlacedPath{Place::kData, "x"})}})
                    .table()
                    ->fields;
  EXPECT_EQ(params_json(spec.params, kFolders), R"({"from":"/d/x","lr":0.1,"sizes":["3"]})");
}

TEST(Contract, AMainRunsAsItSaysItself) {
  struct Case {
    const char* key;
    std::uint32_t mode;
    const char* content;
    std::vector<std::string> before;
  };
  const Case cases[] = {
      {"a.py", 0644, "print(1)", {"python3"}},
      {"a.sh", 0644, "ls", {"sh"}},
      {"a.py", 0755, "#!/usr/bin/env python3.11\n", {"/usr/bin/env", "python3.11"}},
      {"a.py", 0644, "#! /usr/bin/env  -S python3 -u \r\n", {"/usr/bin/env", "-S python3 -u"}},
      {"a.lua", 0644, "#!/usr/bin/lua", {"/usr/bin/lua"}},
      {"a",
       0755,
       "\x7f"
       "ELF",
       {}},
  };
  for (const Case& each : cases) {
    const auto starter = starter_of(each.key, each.mode, each.content);
    ASSERT_TRUE(starter) << each.key;
    EXPECT_EQ(starter->before, each.before) << each.content;
  }
  EXPECT_FALSE(starter_of("a.lua", 0755, "print(1)"));
  EXPECT_FALSE(starter_of("a.txt", 0644, ""));
  EXPECT_FALSE(starter_of("a.py", 0644, "#!\n"));
}

}  // namespace
}  // namespace trainmake
