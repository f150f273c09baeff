// What a job is to Slurm: words of sbatch over a table, and whole scripts as goldens.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "engine/base/host.h"
#include "engine/base/text.h"
#include "rules/job/contracts.h"
#include "rules/job/platforms/slurm/batch_script.h"
#include "rules/job/platforms/slurm/task_script.h"
#include "tests/rules/job/job_world.h"
#include "tests/support/golden.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

using Words = std::vector<std::string>;

struct Rendered {
  JobSpec spec;
  SlurmOptions options;
  Contract contract = default_contract();

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
            contract,
            run,
            {run.code(), "/shared/trees/data-1", run.output(), "/shared/checkpoints/w/c", run.log_folder(),
             run.home(), run.params()},
            "/shared/trees/code-1",
            "trainmake 00ff",
            "/shared/programs/trainmake-1"};
  }
  // What it needs: the options after `--requeue`.
  Words asked() const {
    const auto words = render_options(job());
    EXPECT_TRUE(words) << (words ? "" : words.error().message);
    return words ? Words{words->begin() + 1, words->end()} : Words{};
  }
};

TEST(SlurmScript, SaysWhatTheJobIsAndWhereItsLogGoes) {
  Rendered rendered;
  const auto options = render_options(rendered.job());
  ASSERT_TRUE(options);
  EXPECT_EQ(render_sbatch(rendered.job(), *options),
            (Words{"sbatch", "--parsable", "--job-name=trainmake-0123456789ab", "--comment=trainmake 00ff",
                   "--export=ALL", "--chdir=/shared/runs/w/0123456789ab", "--input=/dev/null",
                   "--output=/shared/runs/w/0123456789ab/log.txt", "--open-mode=append", "--requeue",
                   "--nodes=1", "--ntasks-per-node=1", "/shared/runs/w/0123456789ab/script"}));
}

TEST(SlurmScript, AnArraySaysWhichElementsItHas) {
  const std::string folder = "/50%/arrays/w/trainmake-00ff";
  EXPECT_EQ(render_sbatch({"trainmake-00ff", "trainmake 00ff", folder, {1, 2, 3, 7, 9, 10}, false},
                          {"--requeue", "--nodes=1"}),
            (Words{"sbatch", "--parsable", "--job-name=trainmake-00ff", "--comment=trainmake 00ff",
                   "--array=1-3,7,9-10", "--export=ALL", "--chdir=/50%/arrays/w/trainmake-00ff",
                   "--input=/dev/null", "--output=/50%%/arrays/w/trainmake-00ff/%a/log.txt",
                   "--open-mode=append", "--requeue", "--nodes=1", "/50%/arrays/w/trainmake-00ff/script"}));
  expect_golden("slurm/array.txt", render_array_script("/it's shared/arrays/w/trainmake-00ff"));
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

TEST(SlurmScript, NoMoreTimeIsAskedForThanThePartitionGives) {
  for (const auto& [most, minutes] : {std::pair(2, "2"), std::pair(3, "3"), std::pair(4, "3")}) {
    Rendered rendered;
    rendered.spec.timeout_s = 120;
    BatchJob job = rendered.job();
    job.most_minutes = most;
    EXPECT_EQ(render_options(job)->back(), cat("--time=", minutes));
  }
}

TEST(SlurmScript, ASizeThatIsNoneIsAnErrorThatNamesIt) {
  for (const char* size : {"", "much", "64X", "64GX", "G"}) {
    Rendered rendered;
    rendered.spec.resources = Table({}, {{"memory", value_of(std::string(size))}});
    const auto options = render_options(rendered.job());
    ASSERT_FALSE(options) << size;
    EXPECT_NE(options.error().message.find("`resources.memory`"), std::string::npos);
  }
}

TEST(SlurmScript, OneWithSecretsIsNotStartedAgain) {
  Rendered rendered;
  rendered.spec.secrets = {"TOKEN"};
  EXPECT_EQ(render_options(rendered.job())->front(), "--no-requeue");
}

TEST(SlurmScript, APercentSignInAPathIsOne) {
  Rendered rendered;
  BatchJob job = rendered.job();
  job.run.top = "/50%j";
  const Words words = render_sbatch(job, {});
  EXPECT_NE(std::find(words.begin(), words.end(), "--output=/50%%j/log.txt"), words.end());
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

TEST(SlurmScript, JobThatGoesOnFromACheckpoint) {
  Rendered rendered;
  const Listing files = {{"last", "", "step-2", 0, 0644, {}, {}}, {"step-2", "", "", 12, 0644, {}, {}}};
  rendered.spec.resumed = Checkpoint{"ba9876543210", "", std::make_shared<const Listing>(files)};
  expect_golden("slurm/resumed.txt", render_script(rendered.job()));
}

TEST(SlurmScript, ItsContentIsComparedByWhatSha256sumReads) {
  const ScratchFolder folder;
  Listing files = {{"a b", "", "", 1, 0644, {}, {}},
                   {"c\\d\ne", "", "", 1, 0644, {}, {}},
                   {"last", "", "a b", 0, 0644, {}, {}}};
  for (ListedFile& file : files) file.sha256 = sha256_of("x");
  folder.write("a b", "x");
  folder.write("c\\d\ne", "x");
  folder.write("sums", render_sums(files));
  const auto told = [&] {
    return real_processes()
        .run({{"/bin/sh", "-c", "sha256sum -c sums 2>/dev/null"}, {{"PATH", "/usr/bin:/bin"}}, folder.path()},
             {})
        ->output;
  };
  EXPECT_EQ(told(), "./a b: OK\n\\./c\\\\d\\ne: OK\n");
  folder.write("a b", "y");
  EXPECT_TRUE(told().starts_with("./a b: FAILED\n"));
}

TEST(SlurmScript, TimeToReadACheckpointIsAskedForBeside) {
  Rendered rendered;
  rendered.spec.timeout_s = 3600;
  const Listing files = {{"model", "", "", 120ULL << 30U, 0644, {}, {}}};
  rendered.spec.resumed = Checkpoint{"ba9876543210", "", std::make_shared<const Listing>(files)};
  EXPECT_EQ(rendered.asked().back(), "--time=71");
}

TEST(SlurmScript, JobWhoseCheckpointFolderIsSeenWhereAllRunsSeeTheirs) {
  Rendered rendered;
  rendered.spec.resume = true;
  rendered.spec.resources = Table({}, {{"nodes", value_of(std::int64_t{2})}});
  rendered.spec.args = {{"ckpt", value_of(PlacedPath{Place::kCheckpoint, "last"})}};
  ASSERT_TRUE(is_to_be_seen(rendered.job()));
  const BatchJob seen = as_seen(rendered.job());
  expect_golden("slurm/seen.txt", cat(render_script(rendered.job()), "\n==== seen/command\n",
                                      render_command(seen), "\n==== seen/task\n", render_task(seen),
                                      "\n==== seen/view\n", render_view(rendered.job())));
  rendered.contract = *contract_named(Space(), "ti");
  EXPECT_FALSE(is_to_be_seen(rendered.job())) << "its places are below the run's";
  rendered.contract = default_contract();
  rendered.options.container = true;
  EXPECT_FALSE(is_to_be_seen(rendered.job()));
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

TEST(SlurmScript, JobOfAnotherContract) {
  Rendered rendered;
  rendered.contract = *contract_named(Space(), "ti");
  rendered.spec.params = {{"lr", value_of(0.1)}};
  expect_golden("slurm/contract.txt",
                cat(render_script(rendered.job()), "\n==== command\n", render_command(rendered.job())));
  rendered.spec.resources = Table({}, {{"nodes", value_of(std::int64_t{2})}});
  ASSERT_FALSE(render_options(rendered.job()));
  rendered.contract = *contract_named(Space(), "uai");
  EXPECT_TRUE(render_options(rendered.job()));
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

// What its script finds out on nodes that Slurm knows by these addresses.
std::set<std::string> ports_taken(const std::string& shared_dir, const std::string& number,
                                  const std::string& then = "") {
  Rendered rendered;
  rendered.options.shared_dir = shared_dir;
  rendered.spec.resources = Table({}, {{"nodes", value_of(std::int64_t{2})}});
  rendered.spec.distribution = *table_of({{"kind", value_of(std::string("ps_worker"))}}).table();
  const std::string script =
      cat("me=$SLURM_JOB_ID\nleave() { exit \"$1\"; }\n",
          "scontrol() { for n in 1 2; do echo \"NodeName=n$n NodeAddr=10.0.0.$n Port=1\"; done; }\n",
          render_addresses(rendered.job()), "echo $addresses\n", then);
  std::filesystem::create_directory(path_join(shared_dir, number));
  const auto told = real_processes().run({{"/bin/sh", "-c", script},
                                          {{"PATH", "/usr/bin:/bin"}, {"SLURM_JOB_ID", number}},
                                          path_join(shared_dir, number)},
                                         {});
  EXPECT_TRUE(told && told->exit_code == 0) << (told ? told->errors : told.error().message);
  const std::vector<std::string> addresses = split(trim(told ? told->output : ""), ' ');
  return {addresses.begin(), addresses.end()};
}

TEST(SlurmScript, JobsThatBeginAtOnePlaceTakeDifferentPortsUntilTheyAreGivenBack) {
  const ScratchFolder shared;
  const auto folder = [&] { return std::filesystem::create_directory(shared.path("ports")); };
  ASSERT_TRUE(folder());
  const std::set<std::string> first = ports_taken(shared.path(), "1");
  EXPECT_EQ(first,
            (std::set<std::string>{"10.0.0.1:20016", "10.0.0.1:20017", "10.0.0.2:20016", "10.0.0.2:20017"}));
  const std::string far = cat(1 + 12'768 / 16);
  EXPECT_EQ(ports_taken(shared.path(), far, "give_ports_back\n"),
            (std::set<std::string>{"10.0.0.1:20018", "10.0.0.1:20019", "10.0.0.2:20018", "10.0.0.2:20019"}));
  EXPECT_EQ(*ports_taken(shared.path(), cat(1 + 2 * 12'768 / 16)).begin(), "10.0.0.1:20018");
  EXPECT_EQ(ports_taken(shared.path(), "1"), first);  // Slurm started it again
}

TEST(SlurmScript, PortsGoRound) {
  const ScratchFolder shared;
  std::filesystem::create_directory(shared.path("ports"));
  const std::string last = cat(12'768 / 16 - 1);
  for (int port = 32'752; port < 32'767; ++port)
    std::filesystem::create_symlink("9", shared.path(cat("ports/10.0.0.1:", port)));
  EXPECT_EQ(ports_taken(shared.path(), last),
            (std::set<std::string>{"10.0.0.1:20000", "10.0.0.1:32767", "10.0.0.2:20000", "10.0.0.2:32767"}));
}

std::string distributed(std::map<std::string, Value> distribution, std::int64_t gpus) {
  Rendered rendered;
  rendered.spec.resources = Table(
      {},
      {{"cpus", value_of(std::int64_t{5})}, {"gpus", value_of(gpus)}, {"nodes", value_of(std::int64_t{2})}});
  rendered.spec.distribution = *table_of(std::move(distribution)).table();
  rendered.contract = *contract_named(Space(), "moxing");
  const std::string asked = join(rendered.asked(), " ");
  return cat(asked, "\n\n==== script\n", render_script(rendered.job()), "\n==== command\n",
             render_command(rendered.job()), "\n==== task\n", render_task(rendered.job()));
}

TEST(SlurmScript, JobOfTorchrun) {
  expect_golden("slurm/torchrun.txt", distributed({{"kind", value_of(std::string("torchrun"))}}, 2));
}

TEST(SlurmScript, JobWithParameterServers) {
  expect_golden("slurm/ps_worker.txt", distributed({{"kind", value_of(std::string("ps_worker"))}}, 2));
}

TEST(SlurmScript, JobOfMxnet) {
  expect_golden("slurm/dmlc.txt", distributed({{"kind", value_of(std::string("dmlc"))}}, 2));
}

// What the filter makes of lines as srun labels them.
std::string named(const Rendered& rendered, const std::string& lines) {
  const ScratchFolder folder;
  folder.write("names", render_names(rendered.job()));
  folder.write("lines", lines);
  return real_processes()
      .run({{"/bin/sh", "-c", "sed -u -f names <lines"}, {{"PATH", "/usr/bin:/bin"}}, folder.path()}, {})
      ->output;
}

TEST(SlurmScript, LinesSayWhoseTheyAreAsOnOtherPlatforms) {
  Rendered rendered;
  rendered.spec.resources = Table({}, {{"nodes", value_of(std::int64_t{2})}});
  const std::string lines = " 0: a: b\n01: \n10: 11: x\nsrun: error: n1: task 2: Exited\n";
  EXPECT_EQ(named(rendered, lines), "[0] a: b\n[1] \n[10] 11: x\nsrun: error: n1: task 2: Exited\n");
  rendered.spec.distribution =
      *table_of({{"kind", value_of(std::string("ps_worker"))}, {"workers", value_of(std::int64_t{9})}})
           .table();
  EXPECT_EQ(named(rendered, lines),
            "[ps 0] a: b\n[ps 1] \n[worker 8] 11: x\nsrun: error: n1: task 2: Exited\n");
}

TEST(SlurmScript, WhatAJobAndItsPlatformWantOfANodeIsAskedForTogether) {
  Rendered rendered;
  rendered.options.extra = {{"constraint", "ib&ssd"}, {"exclude", "n7"}};
  EXPECT_EQ(rendered.asked(),
            (Words{"--nodes=1", "--ntasks-per-node=1", "--constraint=ib&ssd", "--exclude=n7"}));
  rendered.spec.resources = Table({}, {{"instance", value_of(std::string("a100"))}});
  EXPECT_EQ(rendered.asked(),
            (Words{"--nodes=1", "--ntasks-per-node=1", "--constraint=a100&ib&ssd", "--exclude=n7"}));
  rendered.options.extra = {{"constraint", "ib|roce"}};
  const auto options = render_options(rendered.job());
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().blame, Blame::kUser);
  EXPECT_NE(options.error().message.find("`a100`, and `extra.constraint` of the platform `ib|roce`"),
            std::string::npos);
  rendered.spec.resources = {};
  EXPECT_EQ(rendered.asked().back(), "--constraint=ib|roce");
}

TEST(SlurmScript, JobOfTensorFlow) {
  expect_golden("slurm/tf_config.txt", distributed({{"kind", value_of(std::string("tf_config"))},
                                                    {"chief", value_of(std::string("master"))},
                                                    {"ps", value_of(std::int64_t{2})},
                                                    {"workers", value_of(std::int64_t{3})}},
                                                   0));
}

TEST(SlurmScript, JobOfMpi) {
  expect_golden("slurm/mpi.txt", distributed({{"kind", value_of(std::string("mpi"))},
                                              {"processes_per_node", value_of(std::int64_t{3})}},
                                             0));
}

// In an image whose PATH is its own.
struct InContainer : Rendered {
  InContainer() {
    options.container = true;
    spec.root = ImageRoot{"/shared/layers-7", {"aa", "bb"}, {{"OF", "image"}, {"PATH", "/opt/bin"}}, "me"};
    spec.data.push_back({"//data:d", "", std::make_shared<const Listing>()});
    spec.environment = {{"MODE", "fast"}};
    spec.secrets = {"TOKEN"};
  }
  BatchJob job() const {
    BatchJob job = Rendered::job();
    job.code.clear();
    return job;
  }
  std::string texts() const {
    return cat(render_script(job()), "\n==== command\n", render_command(job()), "\n==== task\n",
               render_task(job()));
  }
};

TEST(SlurmScript, JobInAContainer) {
  const InContainer rendered;
  expect_golden("slurm/container.txt",
                cat(render_script(rendered.job()), "\n==== command\n", render_command(rendered.job())));
}

TEST(SlurmScript, JobOfTwoNodesInContainersOfAnotherContract) {
  InContainer rendered;
  rendered.contract = *contract_named(Space(), "moxing");
  rendered.spec.resources = Table({}, {{"nodes", value_of(std::int64_t{2})}});
  rendered.spec.distribution = *table_of({{"kind", value_of(std::string("ps_worker"))}}).table();
  expect_golden("slurm/container_nodes.txt", rendered.texts());
}

TEST(NodeOrder, HasAllThatAContainerIs) {
  const InContainer rendered;
  const auto order = parse_node_order(render(node_order(rendered.job(), {})));
  ASSERT_TRUE(order);
  EXPECT_EQ(order->job.arguments, Words{"true"});
  EXPECT_EQ(order->job.folder, "/code");
  EXPECT_EQ(order->job.environment.at("PATH"), "/opt/bin");
  EXPECT_EQ(order->job.environment.at("OF"), "image");
  EXPECT_EQ(order->job.environment.at("MODE"), "fast");
  EXPECT_EQ(order->job.environment.at("TRAINMAKE_DATA_DIR"), "/data");
  EXPECT_EQ(order->secrets, Words{"TOKEN"});
  EXPECT_EQ(order->container.layers_folder, "/shared/layers-7");
  EXPECT_EQ(order->container.layers, (Words{"aa", "bb"}));
  EXPECT_EQ(order->container.user, "me");
  EXPECT_EQ(order->container.mounts.back(), (ContainerMount{"/shared/content", "/run/trainmake/content"}));
  const auto& mounts = order->container.mounts;
  EXPECT_NE(std::find(mounts.begin(), mounts.end(), ContainerMount{"/shared/trees/data-1", "/data"}),
            mounts.end());
}

TEST(NodeOrder, HasANetworkWhenItsPlatformSaysSoOrItsProcessesNeedOne) {
  InContainer rendered;
  EXPECT_FALSE(node_order(rendered.job(), {}).container.network);
  rendered.options.network = true;
  EXPECT_TRUE(node_order(rendered.job(), {}).container.network);
  rendered.options.network = false;
  rendered.spec.resources = Table({}, {{"nodes", value_of(std::int64_t{2})}});
  EXPECT_TRUE(node_order(rendered.job(), {}).container.network);
}

TEST(NodeOrder, OfAServerTellsOfNoGpus) {
  InContainer rendered;
  rendered.contract = *contract_named(Space(), "moxing");
  rendered.spec.resources = Table({}, {{"gpus", value_of(std::int64_t{2})}});
  const auto has_flag = [&](const Rank& rank) {
    const Words words = node_order(rendered.job(), rank).job.arguments;
    return std::find(words.begin(), words.end(), "--num_gpus=2") != words.end();
  };
  EXPECT_TRUE(has_flag({}));
  EXPECT_FALSE(has_flag({.has_gpus = false}));
}

TEST(NodeOrder, SaysWhereItsContainerGetsGpusFrom) {
  InContainer rendered;
  EXPECT_FALSE(node_order(rendered.job(), {}).container.gpus);
  rendered.options.cdi = "/opt/cdi";
  rendered.spec.resources = Table({}, {{"gpus", value_of(std::int64_t{2})}});
  const auto order = parse_node_order(render(node_order(rendered.job(), {})));
  ASSERT_TRUE(order && order->container.gpus);
  EXPECT_EQ(order->container.gpus->cdi, "/opt/cdi");
  EXPECT_FALSE(node_order(rendered.job(), {.has_gpus = false}).container.gpus);
}

TEST(NodeOrder, GpusAreThoseThatSlurmNames) {
  const auto named = [](std::map<std::string, std::string> variables) {
    std::string text;
    for (const GpuName& gpu : gpus_named_by_slurm({std::move(variables)})) text += cat(*gpu.minor, " ");
    return text;
  };
  EXPECT_EQ(named({{"CUDA_VISIBLE_DEVICES", "0,1"}, {"SLURM_JOB_GPUS", "2,3"}, {"SLURM_STEP_GPUS", "3"}}),
            "3 ");
  EXPECT_EQ(named({{"CUDA_VISIBLE_DEVICES", "0,1"}, {"SLURM_JOB_GPUS", "2,3"}}), "2 3 ");
  EXPECT_EQ(named({{"CUDA_VISIBLE_DEVICES", "1"}}), "1 ");
  EXPECT_EQ(named({{"CUDA_VISIBLE_DEVICES", "NoDevFiles"}}), "");
}

TEST(NodeOrder, DamageIsNoOrder) {
  const std::string whole = render(node_order(InContainer().job(), {}));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_node_order(std::string_view(whole).substr(0, size))) << size;
  EXPECT_FALSE(parse_node_order(whole + "x"));
}

TEST(SlurmScript, ThePlatformSaysHowRanksOfMpiAreStarted) {
  Rendered rendered;
  rendered.options.mpi = "pmix";
  rendered.spec.resources = Table({}, {{"nodes", value_of(std::int64_t{2})}});
  EXPECT_EQ(render_command(rendered.job()).find("--mpi="), std::string::npos);
  rendered.spec.distribution = *table_of({{"kind", value_of(std::string("mpi"))}}).table();
  EXPECT_NE(render_command(rendered.job()).find(" --mpi=pmix "), std::string::npos);
}

TEST(SlurmScript, SecretsAreLinesThatAShellReads) {
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

TEST(SlurmOptions, ASharedFolderThatSbatchWouldMisreadIsRefused) {
  const auto told = [](const std::string& shared, const std::string& root = "/w") {
    const auto options =
        slurm_options_of(lab({{"shared_dir", value_of(shared)}}), {root, root + "/.trainmake", ""});
    return options ? "" : options.error().message + " | " + options.error().where.text();
  };
  EXPECT_EQ(told("/a\\b"),
            "`shared_dir` `/a\\b` holds a backslash, which sbatch leaves out of paths | TRAINSPACE.lua:3");
  EXPECT_NE(told("shared", "/w\\1").find("holds a backslash"), std::string::npos) << "as a whole";
  EXPECT_NE(told("/a\nb").find("holds a control character"), std::string::npos);
  for (const char* fine : {"/a%b", "/100%%", "/a b", "/it's", "/ä:$x,;"}) EXPECT_EQ(told(fine), "") << fine;
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
  for (const char* name : {"output", "job-name", "outp", "partition", "--nice", "Nice", "a b", ""}) {
    Value extra;
    extra.data = Table({}, {{name, value_of(std::string("x"))}});
    EXPECT_EQ(wrong_slurm_extra(extra).size(), 1U) << name;
  }
  for (const char* name : {"clusters", "cluster-constraint", "cluster", "M"}) {
    Value extra;
    extra.data = Table({}, {{name, value_of(std::string("other"))}});
    const std::vector<Error> errors = wrong_slurm_extra(extra);
    ASSERT_EQ(errors.size(), 1U) << name;
    EXPECT_NE(errors.front().message.find("on one cluster alone"), std::string::npos) << name;
  }
  Value fine;
  fine.data =
      Table({}, {{"exclude", value_of(std::string("n1"))}, {"mail-type", value_of(std::string("END"))}});
  EXPECT_TRUE(wrong_slurm_extra(fine).empty());
}

}  // namespace
}  // namespace trainmake
