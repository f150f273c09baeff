#include "engine/cli/file_claims.h"

#include <gtest/gtest.h>

#include "tests/engine/cli/small_graph.h"

namespace trainmake {
namespace {

FileClaims claims_of(const std::string& trainfile) {
  const Project project = small_project(trainfile);
  const Declaration& declaration = project.declarations.at(0);
  const Target target{
      {"", declaration.kind, declaration.name}, declaration.attributes, declaration.where, {}};
  for (const Schema* schema : all_schemas()) {
    if (schema->kind == declaration.kind) return FileClaims::of(*schema, target).value();
  }
  return {};
}

TEST(FileClaims, GlobsClaimWhatTheyMatchAndDoNotExclude) {
  const FileClaims claims =
      claims_of(R"(code "c" { srcs = glob { "code/**", exclude = { "code/old", "**/*.log" } } })");
  EXPECT_TRUE(claims.claims("code/a.py", false));
  EXPECT_TRUE(claims.claims("code/sub/.hidden", false));
  EXPECT_FALSE(claims.claims("code/a.log", false));
  EXPECT_FALSE(claims.claims("code/old/deep/a.py", false)) << "an excluded folder takes all that is in it";
  EXPECT_FALSE(claims.claims("data/a.py", false));
}

TEST(FileClaims, APlainPathIsAPathAndNoPattern) {
  const FileClaims claims = claims_of(R"(data "d" { files = { "data/./[a].txt", "sub/b.txt" } })");
  EXPECT_TRUE(claims.claims("data/[a].txt", false));
  EXPECT_FALSE(claims.claims("data/a.txt", false));
  EXPECT_TRUE(claims.claims("sub/b.txt", true)) << "even in another project";
}

TEST(FileClaims, AGlobStopsAtAnotherProject) {
  const FileClaims claims = claims_of(R"(data "d" { files = glob "**" })");
  EXPECT_TRUE(claims.claims("sub/a", false));
  EXPECT_FALSE(claims.claims("sub/a", true));
  EXPECT_TRUE(claims.may_claim_below("sub"));
}

TEST(FileClaims, ImagesClaimTheFilesOfTheirLayers) {
  const FileClaims claims = claims_of(
      R"(image "i" { base = "scratch", files = { { srcs = glob "weights/**", dest = "/w" } }, dockerfile = "Dockerfile" })");
  EXPECT_TRUE(claims.claims("weights/w.bin", false));
  EXPECT_TRUE(claims.claims("Dockerfile", false));
}

}  // namespace
}  // namespace trainmake
