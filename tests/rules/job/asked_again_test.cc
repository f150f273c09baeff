// What hints say to type, so that it does what was done for a run.
#include "rules/job/asked_again.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/base/text.h"
#include "rules/job/container_layout.h"
#include "rules/job/contracts.h"

namespace trainmake {
namespace {

Service service(const char* kind, const char* name, std::map<std::string, Value> said) {
  Service made;
  made.kind = kind;
  made.name = name;
  made.attributes.fields = {said.begin(), said.end()};
  return made;
}

Value value_of(auto data) {
  Value value;
  value.data = std::move(data);
  return value;
}

Space some_space() {
  Space space;
  space.services = {service("contract", "mine", {}),
                    service("platform", "lab", {{"type", value_of(std::string("slurm"))}}),
                    service("platform", "boxes",
                            {{"type", value_of(std::string("local"))},
                             {"container", value_of(true)},
                             {"contract", value_of(std::string("mine"))}}),
                    service("platform", "cloud", {{"type", value_of(std::string("uai"))}})};
  space.default_platform = "lab";
  return space;
}

std::string again(const char* platform, const std::string& contract) {
  Run run;
  run.platform = platform;
  run.provenance_json = cat(R"({"contract":")", contract, R"("})");
  return asked_again("job:x", run, some_space());
}

std::string repro_again(const char* platform, const std::string& contract) {
  Run run;
  run.repeats = "0123456789ab";
  run.platform = platform;
  run.provenance_json = cat(R"({"contract":")", contract, R"("})");
  return asked_again("job:x", run, some_space());
}

std::string in_container(const char* contract, bool network = false, const char* variant = "") {
  return contract_in_container(*contract_named(some_space(), contract), network, variant).version;
}

TEST(AskedAgain, WhatIsUsualIsNotSaid) {
  EXPECT_EQ(again("lab", default_contract().version), "job:x");
  EXPECT_EQ(again("lab", ""), "job:x");
  EXPECT_EQ(again("boxes", in_container("mine")), "job:x --platform boxes");
  EXPECT_EQ(again("cloud", contract_named(Space(), "uai")->version), "job:x --platform cloud");
}

TEST(AskedAgain, OfARunThatRepeatsTheOneThatItRepeats) {
  EXPECT_EQ(repro_again("local", default_contract().version), "repro 0123456789ab");
  EXPECT_EQ(repro_again("local", in_container("mine")), "repro 0123456789ab --container --contract mine");
}

TEST(AskedAgain, ARunIsRepeatedWithTheFlagsThatItWasAskedForWith) {
  const ToRepeat here{"0123456789ab", "local", default_contract().version};
  EXPECT_EQ(repeated(here, "local", some_space()), "repro 0123456789ab");
  EXPECT_EQ(repeated(here, "lab", some_space()), "repro 0123456789ab --platform lab");
  EXPECT_EQ(repeated({"0123456789ab", "local", in_container("ti", false, "cpu")}, "local", some_space()),
            "repro 0123456789ab --container --contract ti --variant cpu");
  EXPECT_EQ(repeated({"0123456789ab", "boxes", in_container("mine")}, "boxes", some_space()),
            "repro 0123456789ab");
}

TEST(AskedAgain, OfARepetitionElsewhereWithThatPlatform) {
  trainmake::Run run;
  run.repeats = "0123456789ab";
  run.platform = "lab";
  run.provenance_json = R"({"contract":"default/1","original_platform":"local"})";
  EXPECT_EQ(asked_again("job:x", run, some_space()), "repro 0123456789ab --platform lab");
}

TEST(AskedAgain, OnThisMachineWithTheContractOfAnotherPlatformItStandsForThat) {
  Space space = some_space();
  space.default_platform = "cloud";
  trainmake::Run run;
  run.platform = "local";
  run.provenance_json = cat(R"({"contract":")", contract_named(space, "uai")->version, R"("})");
  EXPECT_EQ(asked_again("job:x", run, space), "run --local job:x");
}

TEST(AskedAgain, PlatformAndContainerAreFlagsOfALabel) {
  EXPECT_EQ(again("local", default_contract().version), "job:x --platform local");
  EXPECT_EQ(again("lab", in_container("default")), "job:x --container");
  EXPECT_EQ(again("lab", in_container("default", true)), "job:x --container");
}

TEST(AskedAgain, ContractAndVariantAreFlagsOfRun) {
  EXPECT_EQ(again("local", contract_named(Space(), "uai")->version), "run --local job:x --contract uai");
  EXPECT_EQ(again("lab", in_container("ti")), "run job:x --container --contract ti");
  EXPECT_EQ(again("boxes", in_container("default", true, "gpu")),
            "run job:x --platform boxes --contract default --variant gpu");
  EXPECT_EQ(again("lab", contract_named(some_space(), "mine")->version), "run job:x --contract mine");
}

TEST(AskedAgain, AContractThatIsGoneIsNotAskedFor) { EXPECT_EQ(again("lab", "theirs/1234"), "job:x"); }

TEST(ContractTold, IsReadFromAVersion) {
  const ContractTold told = told_by(in_container("mine", true, "cpu"));
  EXPECT_EQ(told.name, "mine");
  EXPECT_TRUE(told.in_container);
  EXPECT_EQ(told.variant, "cpu");
  EXPECT_FALSE(told_by(default_contract().version).in_container);
  EXPECT_TRUE(told_by(in_container("default", false, "gpu")).in_container);
}

}  // namespace
}  // namespace trainmake
