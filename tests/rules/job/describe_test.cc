// What a job's result depends on, and what is wrong with a job before anything runs.
#include "rules/job/job_schema.h"
#include "rules/job/parameters.h"
#include "rules/job/platforms/local/local_platform.h"
#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

const ManifestLine* line_of(const Manifest& manifest, Section section, std::string_view name) {
  for (const ManifestLine& line : manifest.lines()) {
    if (line.section == section && line.name == name) return &line;
  }
  return nullptr;
}

// Two values of each attribute that are not the same.
std::map<std::string, std::pair<Value, Value>> changes() {
  const auto text = [](const char* words) { return value_of(std::string(words)); };
  return {
      {"main", {text("train.py"), text("other.py")}},
      {"command", {list_of({"a"}), list_of({"b"})}},
      {"args", {table_of({{"a", text("1")}}), table_of({{"a", text("2")}})}},
      {"params", {table_of({{"lr", value_of(0.1)}}), table_of({{"lr", value_of(0.2)}})}},
      {"solver", {text("a.prototxt"), text("b.prototxt")}},
      {"snapshot", {text("a.solverstate"), text("b.solverstate")}},
      {"train_params", {text("--step=1"), text("--step=2")}},
      {"env", {table_of({{"MODE", text("fast")}}), table_of({{"MODE", text("slow")}})}},
      {"secrets", {list_of({"A"}), list_of({"B"})}},
      {"resources",
       {table_of({{"gpus", value_of(std::int64_t{1})}}), table_of({{"gpus", value_of(std::int64_t{2})}})}},
      {"outputs", {table_of({{"o", text("a.txt")}}), table_of({{"o", text("b.txt")}})}},
      {"metrics", {table_of({{"m", text("a=(%d)")}}), table_of({{"m", text("b=(%d)")}})}},
      {"retries", {value_of(std::int64_t{1}), value_of(std::int64_t{2})}},
      {"timeout", {text("1h"), text("2h")}},
      {"resume", {value_of(true), value_of(false)}},
      {"preflight",
       {table_of({{"steps", value_of(std::int64_t{1})}}), table_of({{"steps", value_of(std::int64_t{2})}})}},
      {"distribution", {text("torchrun"), text("tf_config")}},
      {"tags", {list_of({"a"}), list_of({"b"})}},
      {"memo", {text("a"), text("b")}},
      {"notes", {text("a"), text("b")}},
  };
}

// An attribute that is added and not hashed fails here.
TEST(JobManifest, AnAttributeCountsExactlyWhenTheSchemaSaysSo) {
  const auto table = changes();
  for (const Attribute& attribute : job_schema().attributes) {
    if (!attribute.labels.empty()) continue;  // what is needed: below
    const auto found = table.find(attribute.name);
    ASSERT_NE(found, table.end()) << "say in changes() how `" << attribute.name << "` may change";
    JobWorld world;
    world.give_code({{"train.py", "1"}, {"other.py", "2"}}, "train.py");
    world.set(attribute.name, found->second.first);
    const Fingerprint before = world.manifest().fingerprint();
    world.set(attribute.name, found->second.second);
    EXPECT_EQ(world.manifest().fingerprint() != before, attribute.effect == Effect::kResult)
        << attribute.name;
  }
}

// `1.0` is `1` of a command and `1.0` of JSON, `1e5` is `1e+05` of both; the others are hashed as they were.
TEST(JobManifest, NumbersThatAJobSeesApartAreApart) {
  JobWorld world;
  const auto fingerprint = [&](const char* attribute, Value value) {
    world.set(attribute, table_of({{"x", std::move(value)}}));
    return world.manifest().fingerprint();
  };
  const auto list = [](auto one, auto other) {
    return value_of(Table{{value_of(one), value_of(other)}, {}});
  };
  const std::int64_t one = 1, hundred_thousand = 100'000, zero = 0;
  for (const char* attribute : {"args", "params"}) {
    EXPECT_NE(fingerprint(attribute, value_of(one)), fingerprint(attribute, value_of(1.0)));
    EXPECT_NE(fingerprint(attribute, value_of(zero)), fingerprint(attribute, value_of(-0.0)));
    EXPECT_NE(fingerprint(attribute, value_of(0.0)), fingerprint(attribute, value_of(-0.0)));
    EXPECT_NE(fingerprint(attribute, value_of(hundred_thousand)), fingerprint(attribute, value_of(1e5)));
    EXPECT_NE(fingerprint(attribute, list(one, 2.0)), fingerprint(attribute, list(1.0, std::int64_t{2})));
    EXPECT_EQ(fingerprint(attribute, value_of(1.0)), fingerprint(attribute, value_of(1.0)));
  }
  for (const Value& value : {value_of(one), value_of(0.5), value_of(true), value_of(std::string("1.0")),
                             list(one, std::int64_t{2}), list(0.1, one)})
    EXPECT_EQ(digest_of_parameter(value), digest_of(value)) << "results of earlier are taken";
}

TEST(JobManifest, ASecretsValueIsRefusedWhereItWouldBeKept) {
  for (const auto& [attribute, value] : std::map<std::string, Value>{
           {"command", list_of({"curl", "-H", "token=s3cr3t-value"})},
           {"args", table_of({{"key", value_of(std::string("s3cr3t-value"))}})},
           {"params", table_of({{"keys", list_of({"a", "s3cr3t-value"})}})},
           {"env", table_of({{"TOKEN", value_of(std::string("s3cr3t-value"))}})},
           {"params", table_of({{"s3cr3t-value", value_of(std::string("a"))}})},
           {"outputs", list_of({"s3cr3t-value/model"})},
           {"args", table_of({{"at", Value{PlacedPath{Place::kData, "s3cr3t-value"}}}})},
           {"notes", value_of(std::string("the s3cr3t-value"))},
       }) {
    JobWorld world;
    world.environment.variables = {{"TOKEN", "s3cr3t-value"}};
    world.set(attribute, value);
    EXPECT_TRUE(world.describe()) << attribute << ": no secret yet";
    world.set("secrets", list_of({"TOKEN"}));
    const auto refused = world.describe();
    ASSERT_FALSE(refused) << attribute;
    EXPECT_NE(refused.error().message.find(cat("stands in `", attribute, "`")), std::string::npos);
    EXPECT_EQ(refused.error().message.find("s3cr3t"), std::string::npos);
  }
}

TEST(JobManifest, ASecretMayBeANumber) {
  JobWorld world;
  world.environment.variables = {{"PIN", "12345678"}};
  world.set("secrets", list_of({"PIN"}));
  world.set("params", table_of({{"seed", value_of(std::int64_t{12345678})}}));
  EXPECT_FALSE(world.describe());
}

TEST(JobManifest, AShortSecretMayStandInOtherTextsByChance) {
  JobWorld world;
  world.environment.variables = {{"TOKEN", "1"}};
  world.set("secrets", list_of({"TOKEN"}));
  world.set("args", table_of({{"epochs", value_of(std::string("10"))}}));
  EXPECT_TRUE(world.describe());
}

TEST(JobManifest, WhatIsNeededCountsByItsIdentity) {
  JobWorld world;
  world.need("data", JobWorld::kData, "train");
  world.need("data", JobWorld::kOther, "model");
  world.give_data(JobWorld::kData, {{"a.txt", "1"}});
  world.give_job("weights");
  const Manifest first = world.manifest();
  world.give_data(JobWorld::kData, {{"a.txt", "2"}});
  EXPECT_EQ(differences(first, world.manifest()),
            (std::vector<Reason>{{ReasonKind::kUpstreamChanged, Section::kUpstream, "//data:d"}}));
  world.give_data(JobWorld::kData, {{"a.txt", "1"}});
  EXPECT_EQ(world.manifest().fingerprint(), first.fingerprint());
  world.give_job("other weights");
  EXPECT_EQ(differences(first, world.manifest()),
            (std::vector<Reason>{{ReasonKind::kUpstreamChanged, Section::kUpstream, "//job:other"}}));
  world.give_job("weights");
  world.give_code({{"train.py", "print(2)"}}, "train.py");
  EXPECT_EQ(differences(first, world.manifest()),
            (std::vector<Reason>{{ReasonKind::kUpstreamChanged, Section::kUpstream, "//image:i"}}));
}

TEST(JobManifest, AChannelCounts) {
  JobWorld world;
  world.give_data(JobWorld::kData, {{"a.txt", "1"}});
  world.need("data", JobWorld::kData, "train");
  const Fingerprint first = world.manifest().fingerprint();
  world.job().needs.back().channel = "test";
  EXPECT_NE(world.manifest().fingerprint(), first);
}

TEST(JobManifest, ThePlatformAndItsContractCount) {
  JobWorld world;
  const Manifest first = world.manifest();
  world.platform_name = "elsewhere";
  EXPECT_EQ(differences(first, world.manifest()),
            (std::vector<Reason>{{ReasonKind::kInputChanged, Section::kPlatform, "platform"}}));
}

TEST(JobManifest, OfResourcesOnlyNodesAndGpusCount) {
  JobWorld world;
  const Fingerprint nothing_said = world.manifest().fingerprint();
  world.set("resources", table_of({{"nodes", value_of(std::int64_t{1})},
                                   {"gpus", value_of(std::int64_t{0})},
                                   {"cpus", value_of(std::int64_t{8})}}));
  EXPECT_EQ(world.manifest().fingerprint(), nothing_said);
  world.set("resources", table_of({{"nodes", value_of(std::int64_t{2})}}));
  EXPECT_NE(world.manifest().fingerprint(), nothing_said);
}

TEST(JobManifest, OfAKindOfMachineItsAcceleratorsCount) {
  JobWorld world;
  const auto with = [&](const char* type, std::int64_t hours) {
    world.set("resources",
              table_of({{"hours", value_of(hours)}, {"node_type", value_of(std::string(type))}}));
    return world.manifest().fingerprint();
  };
  EXPECT_EQ(with("1-P40", 6), with("1-K80", 7));
  EXPECT_NE(with("1-P40", 6), with("4-P40", 6));
}

TEST(JobManifest, AParameterIsALineOfItsOwn) {
  JobWorld world;
  world.set("params", table_of({{"lr", value_of(0.1)}, {"epochs", value_of(std::int64_t{5})}}));
  const Manifest first = world.manifest();
  world.set("params", table_of({{"lr", value_of(0.2)}, {"epochs", value_of(std::int64_t{5})}}));
  EXPECT_EQ(differences(first, world.manifest()),
            (std::vector<Reason>{{ReasonKind::kInputChanged, Section::kAttr, "params.lr"}}));
}

TEST(JobManifest, TheMainOfTheCodeIsTheJobsWhenItHasNone) {
  JobWorld world;
  const Fingerprint inherited = world.manifest().fingerprint();
  world.set("main", value_of(std::string("train.py")));
  EXPECT_EQ(world.manifest().fingerprint(), inherited);
}

// An image is not made again because its code names another main: the name must not come from what the image
// left.
TEST(JobManifest, AnotherMainOfTheCodeCountsThoughTheImageIsTheSame) {
  JobWorld world;
  world.give_code({{"train.py", "1"}, {"other.py", "2"}}, "train.py");
  const Manifest before = world.manifest();
  world.graph.targets[JobWorld::kCode].attributes =
      *table_of({{"main", value_of(std::string("other.py"))}}).table();
  EXPECT_EQ(differences(before, world.manifest()),
            (std::vector<Reason>{{ReasonKind::kInputChanged, Section::kAttr, "main"}}));
}

TEST(JobManifest, WhatIsNotKnownIsNotCertain) {
  JobWorld world;
  world.need("data", JobWorld::kData);
  auto description = world.describe();
  ASSERT_TRUE(description);
  EXPECT_FALSE(description->certain);
  EXPECT_NE(line_of(description->manifest, Section::kUpstream, "//data:d"), nullptr);
  world.inputs.known.erase(JobWorld::kImage);
  ASSERT_TRUE(world.describe());
  EXPECT_FALSE(world.describe()->certain);
}

TEST(JobErrors, MoreNodesThanThePlatformHasAreRefused) {
  JobWorld world;
  world.set("resources", table_of({{"nodes", value_of(std::int64_t{2})}}));
  EXPECT_TRUE(world.describe());  // the fake has as many as are asked for
  LocalPlatform local(world.host, world.workspace, world.blobs);
  JobRule rule({world.host, world.workspace, world.space, "local", world.blobs, world.digests, world.runs,
                local, "test"});
  const auto description = rule.describe(world.subject());
  ASSERT_FALSE(description);
  EXPECT_NE(description.error().message.find("`2`"), std::string::npos);
}

TEST(JobErrors, TwoFilesAtOnePathNameBothTargets) {
  JobWorld world;
  world.need("data", JobWorld::kData);
  world.need("data", JobWorld::kMore);
  world.give_data(JobWorld::kData, {{"a.txt", "1"}});
  world.give_data(JobWorld::kMore, {{"a.txt", "1"}});
  const std::string error = world.describe_error();
  EXPECT_NE(error.find("`a.txt`"), error.npos) << error;
  EXPECT_NE(error.find("`data:d`"), error.npos) << error;
  EXPECT_NE(error.find("`data:more`"), error.npos) << error;
  world.job().needs.back().channel = "more";
  EXPECT_TRUE(world.describe());
}

TEST(JobErrors, AreToldBeforeAnythingRan) {
  JobWorld world;
  world.inputs.known.clear();
  world.foresee(JobWorld::kCode,
                {{"train.py", ""}, {"train.lua", "print(1)"}, {"run.lua", "#!/usr/bin/lua"}});
  world.foresee(JobWorld::kData, {{"a.txt", ""}});
  world.foresee(JobWorld::kMore, {{"a.txt", ""}});
  for (const char* good : {"train.py", "run.lua"}) {
    world.set("main", value_of(std::string(good)));
    EXPECT_TRUE(world.describe()) << good;
  }
  for (const char* bad : {"trian.py", "train.lua"}) {
    world.set("main", value_of(std::string(bad)));
    EXPECT_FALSE(world.describe()) << bad;
  }
  world.set("main", Value());
  world.need("data", JobWorld::kData);
  EXPECT_TRUE(world.describe());
  world.need("data", JobWorld::kMore);
  EXPECT_NE(world.describe_error().find("`data:more`"), std::string::npos);
}

TEST(JobErrors, AFileWhereAnotherHasAFolderIsAnErrorToo) {
  JobWorld world;
  world.need("data", JobWorld::kData);
  world.need("data", JobWorld::kOther, "model/m");
  world.give_data(JobWorld::kData, {{"model", "1"}});
  world.give_job("weights");
  EXPECT_NE(world.describe_error().find("`model`"), std::string::npos);
}

TEST(JobErrors, AMainThatIsNotThereIsGuessed) {
  JobWorld world;
  world.set("main", value_of(std::string("trian.py")));
  const std::string error = world.describe_error();
  EXPECT_NE(error.find("`trian.py`"), error.npos) << error;
  EXPECT_NE(error.find("`train.py`"), error.npos) << error;
}

TEST(JobErrors, LuaIsNotRunByTrainmake) {
  JobWorld world;
  world.give_code({{"train.lua", "print(1)"}}, "train.lua");
  EXPECT_NE(world.describe_error().find("#!/usr/bin/env lua"), std::string::npos);
  world.give_code({{"train.lua", "#!/usr/bin/env lua\nprint(1)"}}, "train.lua");
  EXPECT_TRUE(world.describe());
}

TEST(JobErrors, NothingToRunIsAnError) {
  JobWorld world;
  world.give_code({{"train.py", ""}}, "");
  EXPECT_NE(world.describe_error().find("what to run"), std::string::npos);
  world.set("command", list_of({"true"}));
  EXPECT_TRUE(world.describe());
}

// What the schema says of a job with these attributes.
std::vector<std::string> told_of(std::map<std::string, Value> attributes) {
  attributes.emplace("image", value_of(std::string("image:i")));
  std::vector<std::string> told;
  for (const Error& error :
       check(job_schema(), *table_of(std::move(attributes)).table(), {"TRAINFILE.lua", 7}, "job:j")) {
    EXPECT_EQ(error.where.file, "TRAINFILE.lua");
    EXPECT_EQ(error.where.line, 7) << error.message;
    told.push_back(error.message);
  }
  return told;
}

std::string told_alone(const std::string& attribute, Value value) {
  const std::vector<std::string> told = told_of({{attribute, std::move(value)}});
  EXPECT_EQ(told.size(), 1U);
  return told.empty() ? "" : told.front();
}

TEST(JobErrors, AnOutputStaysInItsFolder) {
  for (const char* path : {"../x", "/etc/passwd", ""}) {
    const std::string told = told_alone("outputs", table_of({{"o", value_of(std::string(path))}}));
    EXPECT_NE(told.find("`o`"), std::string::npos) << path;
  }
  EXPECT_EQ(told_of({{"outputs", table_of({{"o", value_of(std::string("a/b"))}})}}).size(), 0U);
}

TEST(JobErrors, AMalformedMetricIsToldBeforeAnythingRuns) {
  const std::string told = told_alone("metrics", table_of({{"loss", value_of(std::string("loss=([%d.]+"))}}));
  EXPECT_NE(told.find("`loss`"), std::string::npos) << told;
}

TEST(JobErrors, AVariableHasANameThatOneCanHave) {
  EXPECT_NE(told_alone("env", table_of({{"A=B", value_of(true)}})).find("`A=B`"), std::string::npos);
  EXPECT_NE(told_alone("secrets", list_of({"TOKEN", ""})).find("variable"), std::string::npos);
  EXPECT_NE(told_alone("secrets", value_of(std::string("A=B"))).find("`A=B`"), std::string::npos);
}

TEST(JobErrors, TypedArgumentsAreARowOfWords) {
  EXPECT_EQ(told_of({{"train_params", value_of(std::string("--name 'a b' -v"))}}).size(), 0U);
  for (const char* text : {"--name 'a", "--out $HOME", "a; b"}) {
    const std::string told = told_alone("train_params", value_of(std::string(text)));
    EXPECT_NE(told.find("`train_params` is no row of words"), std::string::npos) << told;
  }
}

TEST(JobErrors, ASolverIsSaidOnce) {
  JobWorld world;
  world.set("solver", value_of(std::string("a.prototxt")));
  EXPECT_TRUE(world.describe());
  world.set("args", table_of({{"solver", value_of(std::string("b.prototxt"))}}));
  EXPECT_NE(world.describe_error().find("`solver` is said twice"), std::string::npos);
}

TEST(JobErrors, AChannelIsAFolderOfTheData) {
  for (const char* channel : {"../up", "/abs", "", "a//b"}) {
    const std::string told = told_alone("data", table_of({{channel, value_of(std::string("data:d"))}}));
    EXPECT_NE(told.find("Channel"), std::string::npos) << channel;
  }
  EXPECT_EQ(told_of({{"data", table_of({{"train/images", value_of(std::string("data:d"))}})}}).size(), 0U);
}

TEST(JobErrors, AllOfThemAreToldAtOnce) {
  const auto text = [](const char* words) { return value_of(std::string(words)); };
  EXPECT_EQ(told_of({{"outputs", table_of({{"a", text("../x")}, {"b/c", text("/abs")}, {"d", text("")}})},
                     {"metrics", table_of({{"m", text("[")}, {"n", text("(")}})},
                     {"secrets", list_of({"", "A=B"})},
                     {"retries", value_of(std::int64_t{-1})}})
                .size(),
            9U);
}

}  // namespace
}  // namespace trainmake
