// What a job is to Slurm: words of sbatch over a table, and whole scripts as goldens.
#include <gtest/gtest.h>

#include "rules/job/platforms/slurm/batch_script.h"
#include "tests/rules/job/job_world.h"
#include "tests/support/golden.h"

namespace trainmake {
namespace {

using Words = std::vector<std::string>;

struct Rendered {
  JobSpec spec;
  SlurmOptions options;

  Rendered() {
    spec.run = "0123456789ab";
    spec.key = "trainmake-0123456789ab";
    spec.label = "//job:j";
    spec.command = {value_of(std::string("true"))};
    options.shared_dir = "/shared";
  }
  BatchJob job() const {
    const SlurmRun run{"/shared/runs/w/0123456789ab"};
    return {spec,
            options,
            run,
            {run.code(), "/shared/trees/data-1", run.output(), "/shared/checkpoints/w/c", run.log_folder(),
             run.home(), run.params()},
            "/shared/trees/code-1",
            "trainmake 00ff"};
  }
  // What differs from job to job: those between `--requeue` and the script.
  Words asked() const {
    const auto words = render_sbatch(job());
    EXPECT_TRUE(words) << (words ? "" : words.error().message);
    if (!words) return {};
    const auto from = std::find_if(words->begin(), words->end(),
                                   [](const std::string& word) { return word.ends_with("requeue"); });
    return {from + 1, words->end() - 1};
  }
};

TEST(SlurmScript, SaysWhatTheJobIsAndWhereItsLogGoes) {
  Rendered rendered;
  const auto words = render_sbatch(rendered.job());
  ASSERT_TRUE(words);
  EXPECT_EQ(*words,
            (Words{"sbatch", "--parsable", "--job-name=trainmake-0123456789ab", "--comment=trainmake 00ff",
                   "--export=NONE", "--chdir=/shared/runs/w/0123456789ab", "--input=/dev/null",
                   "--output=/shared/runs/w/0123456789ab/log.txt", "--open-mode=append", "--requeue",
                   "--nodes=1", "--ntasks-per-node=1", "/shared/runs/w/0123456789ab/script"}));
}

TEST(SlurmScript, ResourcesBecomeOptions) {
  const Value one = value_of(std::int64_t{1}), two = value_of(std::int64_t{2});
  const struct {
    Fields resources;
    Words expected;
  } cases[] = {
      {{}, {"--nodes=1", "--ntasks-per-node=1"}},
      {{{"nodes", two}}, {"--nodes=2", "--ntasks-per-node=1"}},
      {{{"gpus", two}}, {"--nodes=1", "--ntasks-per-node=1", "--gres=gpu:2"}},
      {{{"cpus", value_of(1.5)}}, {"--nodes=1", "--ntasks-per-node=1", "--cpus-per-task=2"}},
      {{{"memory", value_of(std::string("64G"))}}, {"--nodes=1", "--ntasks-per-node=1", "--mem=65536M"}},
      {{{"memory", value_of(std::string("1.5 GiB"))}}, {"--nodes=1", "--ntasks-per-node=1", "--mem=1536M"}},
      {{{"memory", value_of(std::string("512"))}}, {"--nodes=1", "--ntasks-per-node=1", "--mem=512M"}},
      {{{"memory", value_of(std::string("10K"))}}, {"--nodes=1", "--ntasks-per-node=1", "--mem=1M"}},
      {{{"disk", value_of(std::string("1TB"))}}, {"--nodes=1", "--ntasks-per-node=1", "--tmp=1048576M"}},
      {{{"instance", value_of(std::string("a100&ib"))}},
       {"--nodes=1", "--ntasks-per-node=1", "--constraint=a100&ib"}},
      {{{"gpus", value_of(std::int64_t{0})}, {"nodes", one}}, {"--nodes=1", "--ntasks-per-node=1"}},
  };
  for (const auto& test : cases) {
    Rendered rendered;
    rendered.spec.resources = Table({}, test.resources);
    EXPECT_EQ(rendered.asked(), test.expected);
  }
}

TEST(SlurmScript, OptionsOfThePlatformBecomeOptions) {
  Rendered rendered;
  rendered.options.partition = "gpu";
  rendered.options.account = "me too";
  rendered.options.qos = "low";
  rendered.options.gres = "gpu:a100";
  rendered.options.extra = {{"exclusive", ""}, {"gres", "ssd:1"}, {"time", "2-0"}};
  rendered.spec.resources = Table({}, {{"gpus", value_of(std::int64_t{4})}});
  EXPECT_EQ(rendered.asked(),
            (Words{"--partition=gpu", "--account=me too", "--qos=low", "--nodes=1", "--ntasks-per-node=1",
                   "--exclusive", "--time=2-0", "--gres=gpu:a100:4,ssd:1"}));
}

TEST(SlurmScript, ATimeoutIsOfTheScriptAndALittleLaterOfSlurm) {
  for (const auto& [seconds, minutes] : {std::pair(1, "2"), std::pair(60, "2"), std::pair(61, "3")}) {
    Rendered rendered;
    rendered.options.extra = {{"time", "1-0"}};
    rendered.spec.timeout_s = seconds;
    EXPECT_EQ(rendered.asked().back(), cat("--time=", minutes));
    EXPECT_NE(render_script(rendered.job()).find(cat("sleep ", seconds, "\n")), std::string::npos);
  }
}

TEST(SlurmScript, ASizeThatIsNoneIsAnErrorThatNamesIt) {
  for (const char* size : {"", "much", "64X", "64GX", "G"}) {
    Rendered rendered;
    rendered.spec.resources = Table({}, {{"memory", value_of(std::string(size))}});
    const auto words = render_sbatch(rendered.job());
    ASSERT_FALSE(words) << size;
    EXPECT_NE(words.error().message.find("`resources.memory`"), std::string::npos);
  }
}

TEST(SlurmScript, OneWithSecretsIsNotStartedAgain) {
  Rendered rendered;
  rendered.spec.secrets = {"TOKEN"};
  const auto words = render_sbatch(rendered.job());
  EXPECT_NE(std::find(words->begin(), words->end(), "--no-requeue"), words->end());
}

TEST(SlurmScript, APercentSignInAPathIsOne) {
  Rendered rendered;
  BatchJob job = rendered.job();
  job.run.top = "/50%j";
  const auto words = render_sbatch(job);
  EXPECT_NE(std::find(words->begin(), words->end(), "--output=/50%%j/log.txt"), words->end());
}

TEST(SlurmScript, PlainJob) { expect_golden("slurm/plain.txt", render_script(Rendered().job())); }

TEST(SlurmScript, JobWithATimeoutAndNoCode) {
  Rendered rendered;
  rendered.spec.timeout_s = 90;
  BatchJob job = rendered.job();
  job.code.clear();
  job.run.top = "/it's shared/runs";
  expect_golden("slurm/timeout.txt", render_script(job));
}

TEST(SlurmScript, CommandWithOddCharacters) {
  Rendered rendered;
  rendered.spec.secrets = {"TOKEN"};
  rendered.spec.environment = {
      {"MODE", "it's \"fast\" $HOME\nand `more`"}, {"odd.name", "1"}, {"PWD", "/mine"}};
  rendered.spec.command = {value_of(std::string("./a b")), value_of(PlacedPath{Place::kData, "x y"})};
  rendered.spec.params = {{"name", value_of(std::string("a'b\\c"))}};
  expect_golden("slurm/command.txt", render_command(rendered.job()));
}

TEST(SlurmScript, JobOfTwoNodes) {
  Rendered rendered;
  rendered.spec.resources =
      Table({}, {{"cpus", value_of(std::int64_t{3})}, {"nodes", value_of(std::int64_t{2})}});
  rendered.spec.secrets = {"TOKEN"};
  expect_golden("slurm/nodes.txt",
                cat(render_script(rendered.job()), "\n==== command\n", render_command(rendered.job()),
                    "\n==== task\n", render_task(rendered.job())));
}

TEST(SlurmScript, ShellWordsSurviveAShell) {
  EXPECT_EQ(shell_quoted("a'b"), "'a'\\''b'");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(render_secrets({{"A", "x'y"}, {"B", "1\n2"}}), "export A='x'\\''y'\nexport B='1\n2'\n");
  EXPECT_TRUE(is_shell_variable("_A1"));
  for (const char* name : {"", "1A", "a.b", "a-b", "a b"}) EXPECT_FALSE(is_shell_variable(name)) << name;
}

Service lab(Fields attributes) {
  return {"platform", "lab", Table({}, std::move(attributes)), {"TRAINSPACE.lua", 3}};
}

TEST(SlurmOptions, ASharedFolderIsNeeded) {
  const auto options = slurm_options_of(lab({}), {"/w", "/w/.trainmake", ""});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().where.text(), "TRAINSPACE.lua:3");
  EXPECT_NE(options.error().hint.find("shared_dir"), std::string::npos);
}

TEST(SlurmOptions, AreTakenFromTheDeclaration) {
  Value extra;
  extra.data =
      Table({}, {{"exclusive", value_of(true)}, {"nice", value_of(std::int64_t{5})}, {"x", value_of(false)}});
  const auto options = slurm_options_of(lab({{"account", value_of(std::string("me"))},
                                             {"extra", extra},
                                             {"shared_dir", value_of(std::string("shared"))}}),
                                        {"/w", "/w/.trainmake", ""});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->shared_dir, "/w/shared");
  EXPECT_EQ(options->account, "me");
  EXPECT_EQ(options->gres, "gpu");
  EXPECT_EQ(options->extra,
            (std::vector<std::pair<std::string, std::string>>{{"exclusive", ""}, {"nice", "5"}}));
}

TEST(SlurmOptions, WhatIsOursOrNoOptionIsRefused) {
  for (const char* name : {"output", "job-name", "partition", "--nice", "Nice", "a b", ""}) {
    Value extra;
    extra.data = Table({}, {{name, value_of(std::string("x"))}});
    EXPECT_EQ(wrong_slurm_extra(extra).size(), 1U) << name;
  }
  Value fine;
  fine.data =
      Table({}, {{"exclude", value_of(std::string("n1"))}, {"mail-type", value_of(std::string("END"))}});
  EXPECT_TRUE(wrong_slurm_extra(fine).empty());
}

}  // namespace
}  // namespace trainmake
