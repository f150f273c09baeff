// Where a job in a container finds what its contract names.
#include "rules/job/container_layout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "rules/job/contracts.h"

namespace trainmake {
namespace {

const Folders kHere = {"/r/code", "/r/data", "/r/output", "/c", "/r/log", "/r/home", "/r/params.json"};

ContainerLayout layout_under(const char* contract) {
  JobSpec spec;
  spec.data.push_back({"//data:d", "train", std::make_shared<const Listing>()});
  return layout_in_container(*contract_named(Space(), contract), spec, kHere, "/r/places");
}

bool is_seen(const ContainerLayout& layout, const ContainerMount& mount) {
  return std::find(layout.mounts.begin(), layout.mounts.end(), mount) != layout.mounts.end();
}

TEST(ContainerLayout, LeavesTheCodeInTheImageUnlessTheContractWantsItElsewhere) {
  EXPECT_FALSE(layout_under("default").has_own_code);
  EXPECT_TRUE(layout_under("ti").has_own_code);
  EXPECT_TRUE(is_seen(layout_under("ti"), {"/r/code", "/opt/ml/code", true}));
}

TEST(ContainerLayout, MountsFoldersWhereTheContractSays) {
  const ContainerLayout layout = layout_under("ti");
  EXPECT_TRUE(is_seen(layout, {"/r/data", "/opt/ml/input/data", false}));
  EXPECT_TRUE(is_seen(layout, {"/r/output", "/opt/ml/model", true}));
  EXPECT_TRUE(is_seen(layout, {"/c", "/opt/ml/checkpoints", true}));
  EXPECT_TRUE(is_seen(layout, {"/r/log", "/opt/ml/output/data", true}));
  EXPECT_EQ(layout.folders.output, "/opt/ml/model");
}

TEST(ContainerLayout, HasThePlacesThatFoldersInFoldersAreMountedOn) {
  const ContainerLayout layout = layout_under("uai");
  EXPECT_EQ(layout.points,
            (std::vector<std::string>{"/r/code/data", "/r/code/output", "/r/output/checkpoint"}));
}

TEST(ContainerLayout, WritesFilesWhereTheyAreSeen) {
  const ContainerLayout layout = layout_under("ti");
  const std::string at = "/opt/ml/input/config/inputdataconfig.json";
  EXPECT_TRUE(is_seen(layout, {"/r/places" + at, at, false}));
  EXPECT_TRUE(std::any_of(layout.files.begin(), layout.files.end(),
                          [&](const auto& file) { return file.first == "/r/places" + at; }));
}

TEST(ContainerLayout, AlwaysHasTheFoldersByWhichARunIsFound) {
  for (const char* contract : {"default", "uai", "moxing"}) {
    EXPECT_TRUE(is_seen(layout_under(contract), {"/r/output", "/output", true})) << contract;
    EXPECT_TRUE(is_seen(layout_under(contract), {"/c", "/checkpoint", true})) << contract;
  }
}

}  // namespace
}  // namespace trainmake
