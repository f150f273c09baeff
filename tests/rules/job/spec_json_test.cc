#include "rules/job/spec_json.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "tests/rules/job/job_world.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

JobSpec some_spec() {
  JobSpec spec;
  spec.listings = {"aa", "bb"};
  spec.main = "train.py";
  spec.framework = "caffe";
  spec.starter.before = {"python3", "-u"};
  spec.command = {value_of(std::string("run")), value_of(PlacedPath{Place::kOutput, "o"})};
  spec.args = {{"data", value_of(PlacedPath{Place::kData, "x/y"})}, {"list", list_of({"a", "b"})}};
  spec.params = {{"flag", value_of(true)},
                 {"lr", value_of(0.1)},
                 {"n", value_of(std::int64_t{3})},
                 {"whole", value_of(2.0)}};
  spec.typed = {"--max_step=2000", "a b"};
  spec.environment = {{"A", "b"}};
  spec.secrets = {"TOKEN"};
  spec.outputs = {{"o", "o.txt"}};
  spec.resources = *table_of({{"gpus", value_of(std::int64_t{2})}}).table();
  spec.distribution = *table_of({{"mpi", table_of({{"options", value_of(std::string("-x"))}})}}).table();
  spec.timeout_s = 60;
  spec.resume = true;
  return spec;
}

TEST(SpecJson, IsReadBackAsItWas) {
  const JobSpec spec = some_spec();
  const Json json = parse_json<Json>(spec_json(spec, Redactor({})).dump());
  EXPECT_TRUE(json["whole"].get<bool>());
  const auto read = parse_spec(json);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->listings, spec.listings);
  EXPECT_EQ(read->main, spec.main);
  EXPECT_EQ(read->framework, spec.framework);
  EXPECT_EQ(read->starter, spec.starter);
  EXPECT_EQ(read->command, spec.command);
  EXPECT_EQ(read->args, spec.args);
  EXPECT_EQ(read->params, spec.params);
  EXPECT_EQ(read->typed, spec.typed);
  EXPECT_EQ(read->environment, spec.environment);
  EXPECT_EQ(read->secrets, spec.secrets);
  EXPECT_EQ(read->outputs, spec.outputs);
  EXPECT_EQ(read->resources, spec.resources);
  EXPECT_EQ(read->distribution, spec.distribution);
  EXPECT_EQ(read->timeout_s, 60);
  EXPECT_TRUE(read->resume);
}

TEST(SpecJson, SaysWhenASecretWasLeftOut) {
  JobSpec spec = some_spec();
  spec.params.emplace_back("token", value_of(std::string("hunter2")));
  const Json json = spec_json(spec, Redactor({"hunter2"}));
  EXPECT_FALSE(json["whole"].get<bool>());
  EXPECT_EQ(json.dump().find("hunter2"), std::string::npos);
  spec = some_spec();
  spec.typed = {"--token=hunter2"};
  EXPECT_FALSE(spec_json(spec, Redactor({"hunter2"}))["whole"].get<bool>());
}

TEST(SpecJson, WhatIsNoneIsRefused) {
  Json json = spec_json(some_spec(), Redactor({}));
  json.erase("params");
  for (const Json& damaged : {json, Json(), Json(3), Json::array(), Json{{"code", 1}}})
    EXPECT_FALSE(parse_spec(damaged));
}

}  // namespace
}  // namespace trainmake
