// What a job on UAI-Train is asked for with, and what the service's answers are read as: no network.
#include <gtest/gtest.h>

#include "rules/job/contracts.h"
#include "rules/job/platforms/uai/uai_answers.h"
#include "rules/job/platforms/uai/uai_log.h"
#include "rules/job/platforms/uai/uai_options.h"
#include "rules/job/platforms/uai/uai_request.h"
#include "tests/rules/job/local_world.h"
#include "tests/support/golden.h"

namespace trainmake {
namespace {

Value number(double value) {
  Value made;
  made.data = value;
  return made;
}

Value truth(bool value) {
  Value made;
  made.data = value;
  return made;
}

Contract uai_contract() { return *contract_named(Space(), "uai"); }

JobSpec main_spec() {
  JobSpec spec = spec_named(1);
  spec.main = "train.py";
  spec.starter = {{"python3"}};
  return spec;
}

std::string command_of(const JobSpec& spec) {
  const auto command = render_docker_cmd(spec, uai_contract());
  return command ? *command : command.error().message;
}

TEST(UaiRequest, AMainOfPythonIsStartedByTheServiceItself) {
  JobSpec spec = main_spec();
  Value solver;
  solver.data = PlacedPath{Place::kData, "lenet_solver.prototxt"};
  spec.args = {{"solver", solver}};
  spec.params = {{"lr", number(0.1)}, {"name", text_value("it's $HOME")}, {"verbose", truth(true)}};
  EXPECT_EQ(command_of(spec),
            "-u /data/train.py --solver=/data/data/lenet_solver.prototxt --lr=0.1 "
            "'--name=it'\\''s $HOME' --verbose");
}

TEST(UaiRequest, WhatIsTypedFollowsAllOthers) {
  JobSpec spec = main_spec();
  spec.args = {{"solver", text_value("/data/data/s")}, {"a", number(1)}};
  spec.params = {{"lr", number(0.1)}};
  spec.typed = {"--max_step=2000", "a b"};
  EXPECT_EQ(command_of(spec), "-u /data/train.py --solver=/data/data/s --a=1 --lr=0.1 --max_step=2000 'a b'");
}

TEST(UaiRequest, AnEnvironmentAndOtherProgramsTakeThePlaceOfPython) {
  JobSpec spec = main_spec();
  spec.environment = {{"MODE", "a b"}};
  const std::string become = "-c 'import os,sys;os.execvp(sys.argv[1],sys.argv[1:])' ";
  EXPECT_EQ(command_of(spec), become + "env 'MODE=a b' /usr/bin/python -u /data/train.py");
  spec.main = "train.sh";
  spec.starter = {{"sh"}};
  spec.environment.clear();
  EXPECT_EQ(command_of(spec), become + "sh /data/train.sh");
  spec.starter = {{"/usr/bin/env", "python3"}};
  EXPECT_EQ(command_of(spec), "-u /data/train.sh");
}

TEST(UaiRequest, SecretsAreRefused) {
  JobSpec spec = main_spec();
  spec.secrets = {"TOKEN"};
  EXPECT_NE(command_of(spec).find("no place for `secrets`"), std::string::npos);
}

TEST(UaiRequest, AMachineIsANumberAndAKind) {
  EXPECT_EQ(accelerators_of("4-P40"), 4);
  for (const char* wrong : {"", "4", "4-", "P40", "-P40", "x-P40"})
    EXPECT_FALSE(accelerators_of(wrong)) << wrong;
  Table resources;
  EXPECT_FALSE(node_type_of(resources));
  resources.fields = {{"gpus", number(2)}, {"node_type", text_value("4-P40")}};
  EXPECT_NE(node_type_of(resources).error().message.find("has 4 accelerators, and `gpus` asks for 2"),
            std::string::npos);
}

TEST(UaiRequest, HoursAreSaidOrThoseOfTheTimeout) {
  JobSpec spec = main_spec();
  EXPECT_FALSE(hours_of(spec.resources, spec.timeout_s));
  spec.timeout_s = 3601;
  EXPECT_EQ(*hours_of(spec.resources, spec.timeout_s), 2);
  spec.resources.fields = {{"hours", number(6)}};
  EXPECT_EQ(*hours_of(spec.resources, spec.timeout_s), 6);
}

TEST(UaiRequest, AnImageIsGotFromUHubInsideOrOutside) {
  UaiOptions options;
  options.name = "uai";
  options.uhub_host = "uhub.service.ucloud.cn";
  EXPECT_EQ(*uhub_path_of("uhub.ucloud.cn/demo/mnist:t", options), "uhub.service.ucloud.cn/demo/mnist:t");
  EXPECT_NE(uhub_path_of("hub.example.com/demo/mnist:t", options).error().message.find("from UHub alone"),
            std::string::npos);
  EXPECT_NE(uhub_path_of("uhub.ucloud.cn/demo/a/mnist:t", options).error().message.find("`registry/name`"),
            std::string::npos);
}

TEST(UaiRequest, ACreationSaysAllThatTheServiceWantsToKnow) {
  UaiOptions options;
  UaiCreation job{"trainmake-1-a",
                  "uhub.ucloud.cn/demo/mnist:t",
                  "http://b.cn-bj.ufileos.com/mnist/",
                  "http://b.cn-bj.ufileos.com/out/",
                  "-u /data/train.py",
                  "first",
                  6,
                  1,
                  {7, 41, 3, 0}};
  std::string text;
  for (const auto& [name, value] : render_creation(job, options, {"pub", Secret("priv")}))
    text += cat(name, "=", value, "\n");
  expect_golden("uai/create.txt", text);
}

TEST(UaiAnswers, EveryStateThatIsNotKnownGoesOnAndIsShown) {
  const auto read = [](const char* state) {
    UaiJob job;
    job.state = state;
    job.created_s = 5;
    return status_of(job);
  };
  EXPECT_EQ(read("Done").status, RunStatus::kSucceeded);
  EXPECT_EQ(read("Done").started_ns, 5'000'000'000);
  EXPECT_EQ(read("Error").status, RunStatus::kFailed);
  EXPECT_EQ(read("Stopped").status, RunStatus::kCancelled);
  EXPECT_EQ(read("Deleted").status, RunStatus::kCancelled);
  EXPECT_EQ(read("Doing").status, RunStatus::kRunning);
  EXPECT_EQ(read("Doing").reason, "");
  EXPECT_EQ(read("Imaging").status, RunStatus::kRunning);
  EXPECT_EQ(read("Imaging").reason, "UAI-Train says `Imaging`");
}

TEST(UaiAnswers, ListsMayBeNullAndNumbersMayBeText) {
  EXPECT_TRUE(parse_uai_jobs(R"({"RetCode":0,"DataSet":null})")->empty());
  const auto jobs = parse_uai_jobs(
      R"({"DataSet":[{"TrainJobId":"j","TrainJobName":"n","Status":"Doing","CreateTime":"7","StartTime":8}]})");
  ASSERT_TRUE(jobs);
  EXPECT_EQ(jobs->front().created_s, 7);
  EXPECT_EQ(jobs->front().started_s, 8);
  EXPECT_FALSE(parse_uai_jobs(R"({"DataSet":[{}]})"));
  EXPECT_FALSE(parse_uai_jobs("<html>"));
  EXPECT_FALSE(parse_uai_answer("<html>"));
  EXPECT_EQ(parse_uai_answer(R"({"RetCode":171,"Message":"m"})")->code, 171);
  EXPECT_TRUE(parse_uai_log(R"({"RunningLog":null})")->empty());
  EXPECT_EQ(*parse_uai_log(R"({"RunningLog":["a\n","","b\nc"]})"),
            (std::vector<std::string>{"a", "", "b", "c"}));
}

TEST(UaiAnswers, AnEndIsReadAsItWasWritten) {
  JobStatus status;
  status.status = RunStatus::kFailed;
  status.reason = "why";
  status.started_ns = 3;
  const auto read = parse_uai_end(render_uai_end(status));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->status, RunStatus::kFailed);
  EXPECT_EQ(read->reason, "why");
  EXPECT_EQ(read->exit_code, std::nullopt);
  EXPECT_FALSE(parse_uai_end(R"({"status":"running"})"));
}

using Lines = std::vector<std::string>;

std::size_t known(const Lines& seen, const Lines& answer, bool is_from_start = true) {
  return known_of_answer({{seen.begin(), seen.end()}, is_from_start}, answer);
}

TEST(UaiLog, AnAnswerIsJoinedToWhatWasSeen) {
  EXPECT_EQ(known({}, {"a", "b"}), 0U);
  EXPECT_EQ(known({"a", "b"}, {"a", "b", "c"}), 2U);  // all of it, from its begin
  EXPECT_EQ(known({"a", "b", "c"}, {"c", "d"}), 1U);  // the last lines alone
  EXPECT_EQ(known({"a", "b"}, {"c", "d"}), 0U);       // only new ones
  EXPECT_EQ(known({"a", "b"}, {"a", "b"}), 2U);
  EXPECT_EQ(known({"a"}, {}), 0U);
  EXPECT_EQ(known({"a", "b", "c"}, {"a", "b"}), 2U);  // as it was a moment ago
}

TEST(UaiLog, LinesThatRepeatAreNotLostWhereAnAnswerTellsAll) {
  EXPECT_EQ(known({"="}, {"=", "loss", "="}), 1U);
  EXPECT_EQ(known(Lines(3, "saved"), Lines(7, "saved")), 3U);
  EXPECT_EQ(known({"x"}, {"a", "x", "b", "x"}), 0U);  // it moved beyond that one
  EXPECT_EQ(known({"s", "s", "a", "s"}, {"a", "s", "s"}), 2U);
}

TEST(UaiLog, OfALogWhoseEndAloneIsKnownThatIsFoundInTheAnswer) {
  EXPECT_EQ(known({"b", "c"}, {"a", "b", "c", "d"}, false), 3U);
  EXPECT_EQ(known({"b", "c"}, {"c", "d"}, false), 1U);
  EXPECT_EQ(known({"b", "c"}, {"d"}, false), 0U);
}

TEST(UaiLog, ManyLinesAreJoinedInLinearTime) {
  Lines seen(100'000, "."), answer(200'000, ".");
  seen.push_back("z");
  const std::int64_t began = real_clock().steady_ns();
  EXPECT_EQ(known(seen, answer), 0U);
  seen.insert(seen.begin(), "begin");
  seen.pop_back();
  EXPECT_EQ(known(seen, answer), 100'000U);
  EXPECT_EQ(known(Lines(100'000, "."), answer, false), 100'000U);
  EXPECT_LT(real_clock().steady_ns() - began, 5'000'000'000);
}

TEST(UaiLog, EachTopicIsALogOfItsOwn) {
  const std::vector<UaiTopic> topics = {{"t1", "worker"}, {"t2", "worker"}, {"t3", "ps"}, {"t4", ""}};
  EXPECT_EQ(marks_of(topics, ""), (Lines{"[t1] ", "[t2] ", "[ps] ", "[t4] "}));
  const Lines marks = marks_of(topics, "t1");
  EXPECT_EQ(marks, (Lines{"", "[t2] ", "[ps] ", "[t4] "}));
  const std::vector<UaiSeen> seen = seen_in("a\n[t2] b\nc\n[ps] \n", true, marks);
  using Views = std::vector<std::string_view>;
  EXPECT_EQ(seen[0].lines, (Views{"a", "c"}));
  EXPECT_EQ(seen[1].lines, (Views{"b"}));
  EXPECT_EQ(seen[2].lines, (Views{""}));
  EXPECT_TRUE(seen[3].lines.empty());
  EXPECT_EQ(seen_in("ut\na\n", false, marks)[0].lines, (Views{"a"}));
  const std::string gap = "[ps] ... trainmake: lines may be missing here, which UAI-Train did not tell ...\n";
  const std::string log = cat("a\n[ps] b\n", gap, "[ps] c\n");
  const std::vector<UaiSeen> behind = seen_in(log, true, marks);
  EXPECT_EQ(behind[0].lines, (Views{"a"}));
  EXPECT_EQ(behind[2].lines, (Views{"c"}));
  EXPECT_FALSE(behind[2].is_from_start);
}

Service service(const char* kind, const char* name, std::vector<std::pair<std::string, Value>> fields) {
  return {kind, name, {{}, std::move(fields)}, {}};
}

TEST(UaiOptions, DataAndImagesGoToThePlatformsOwnPlaces) {
  Space space;
  space.services = {service(
      "platform", "uai",
      {{"bucket", text_value("my-data")}, {"internal_uhub", truth(true)}, {"registry", text_value("demo")}})};
  take_uai_defaults("uai", space);
  const Service* store = space.find("store", space.default_store);
  const Service* registry = space.find("registry", space.default_registry);
  ASSERT_TRUE(store != nullptr && registry != nullptr);
  EXPECT_EQ(*store->text("url"), "ufile://my-data");
  EXPECT_EQ(*store->text("region"), "cn-bj");
  EXPECT_EQ(*registry->text("url"), "uhub.service.ucloud.cn/demo");
  EXPECT_EQ(uai_bucket_of(*store)->url("mnist"), "http://my-data.cn-bj.ufileos.com/mnist/");
}

TEST(UaiOptions, WhatIsDeclaredOfABucketOrAHostHolds) {
  Space space;
  space.services = {
      service("platform", "uai", {{"bucket", text_value("my-data")}, {"registry", text_value("demo")}}),
      service("registry", "hub",
              {{"endpoint", text_value("http://127.0.0.1:2")}, {"url", text_value("uhub.ucloud.cn/other")}}),
      service("store", "b", {{"region", text_value("cn-sh2")}, {"url", text_value("ufile://my-data")}})};
  take_uai_defaults("uai", space);
  EXPECT_EQ(space.default_store, "b");
  EXPECT_EQ(*space.find("registry", space.default_registry)->text("endpoint"), "http://127.0.0.1:2");
  const auto stores = uai_stores_of(space.services.front(), {}, space);
  EXPECT_EQ(*stores->bucket->text("region"), "cn-sh2");
  EXPECT_FALSE(stores->ufs);
}

TEST(UaiOptions, ABucketThatTrainspaceNamesIsMadeInThePlatformsProject) {
  Space space;
  space.services = {
      service("platform", "uai",
              {{"endpoint", text_value("http://127.0.0.1:8000")}, {"project_id", text_value("org-1")}}),
      service("store", "a", {{"project_id", text_value("org-2")}, {"url", text_value("ufile://theirs")}}),
      service("store", "b", {{"url", text_value("ufile://my-data")}})};
  for (const auto& [name, project] : {std::pair("a", "org-2"), std::pair("b", "org-1")}) {
    space.default_store = name;
    take_uai_defaults("uai", space);
    EXPECT_EQ(space.default_store, name);
    EXPECT_EQ(*space.find("store", name)->text("project_id"), project);
    EXPECT_EQ(*space.find("store", name)->text("api"), "http://127.0.0.1:8000");
  }
}

TEST(UaiOptions, ItsOwnBucketIsMadeWhereItsJobsAre) {
  Space space;
  space.services.push_back(service("platform", "uai",
                                   {{"bucket", text_value("my-data")},
                                    {"endpoint", text_value("http://127.0.0.1:8000")},
                                    {"project_id", text_value("org-1")}}));
  const auto stores = uai_stores_of(space.services.front(), {}, space);
  ASSERT_TRUE(stores && stores->bucket);
  EXPECT_EQ(*stores->bucket->text("project_id"), "org-1");
  EXPECT_EQ(*stores->bucket->text("api"), "http://127.0.0.1:8000");
}

TEST(UaiOptions, KeysGoToNobodyInTheClear) {
  EXPECT_FALSE(
      uai_options_of(service("platform", "uai", {{"endpoint", text_value("http://api.ucloud.cn")}}), "/w"));
}

TEST(UaiOptions, KeysGoToUCloudOrThisMachineUnlessSomebodySaysSo) {
  for (const char* fine : {"https://api.ucloud.cn", "https://api.ucloud.cn:443/x", "https://ucloud.cn",
                           "http://127.0.0.1:8000/api", "http://localhost"})
    EXPECT_TRUE(is_of_ucloud(fine)) << fine;
  for (const char* wrong :
       {"https://evil.example.com", "https://evilucloud.cn", "https://ucloud.cn.example.com",
        "https://api.ucloud.cn@evil.example.com", "https://api.ucloud.cn:1@evil.example.com",
        "https://evil.example.com\\.ucloud.cn", "https://evil.example.com#.ucloud.cn",
        "https://evil.example.com?.ucloud.cn", "https://127.0.0.1.example.com", "api.ucloud.cn"})
    EXPECT_FALSE(is_of_ucloud(wrong)) << wrong;
}

TEST(UaiOptions, AUfsIsAMountPointAndAFolderHere) {
  const auto options_with = [](std::vector<std::pair<std::string, Value>> said) {
    return uai_options_of(service("platform", "uai", std::move(said)), "/w");
  };
  const auto options =
      options_with({{"ufs", text_value("10.9.1.2:/ufs-abc123/")}, {"ufs_dir", text_value("../mnt/ufs")}});
  ASSERT_TRUE(options);
  const auto url_of = [&](const char* folder) {
    const std::optional<UaiFolder> found = uai_ufs_of(*options, folder);
    return found ? found->url("x") : "nowhere";
  };
  EXPECT_EQ(url_of("/mnt/ufs"), "10.9.1.2:/ufs-abc123/x/");
  EXPECT_EQ(url_of("/mnt/ufs/data/"), "10.9.1.2:/ufs-abc123/data/x/");
  EXPECT_EQ(url_of("/mnt/ufs2"), "nowhere");
  EXPECT_FALSE(options_with({{"ufs", text_value("10.9.1.2:/ufs-abc123")}}));
  EXPECT_FALSE(options_with({{"ufs_dir", text_value("/mnt/ufs")}}));
  for (const char* wrong :
       {"10.9.1.2/ufs-x", "10.9.1.256:/ufs-x", "10.9.1:/ufs-x", "10.9.1.2:/ufs-", "10.9.1.2:/ufs-x/a"})
    EXPECT_FALSE(options_with({{"ufs", text_value(wrong)}, {"ufs_dir", text_value("/mnt/ufs")}})) << wrong;
  EXPECT_EQ(wrong_data_url("10.9.1.2:/ufs-abc123/mnist/"), "");
  EXPECT_NE(wrong_data_url("10.9.1.2:/ufs-abc123/"), "");
}

TEST(UaiOptions, AFolderOfDataHasAPlainName) {
  EXPECT_EQ(wrong_data_url("http://uai-demo.cn-bj.ufileos.com/mnist/data/"), "");
  EXPECT_NE(wrong_data_url("http://uai-demo.cn-bj.ufileos.com/"), "");
  EXPECT_NE(wrong_data_url("http://uai-demo.cn-bj.ufileos.com/a b/"), "");
}

}  // namespace
}  // namespace trainmake
