#include "engine/model/manifest.h"

#include <gtest/gtest.h>

#include "engine/model/looks.h"
#include "engine/model/record.h"

namespace trainmake {
namespace {

Manifest manifest(const std::vector<std::tuple<Section, std::string, std::string>>& lines) {
  Manifest made;
  for (const auto& [section, name, content] : lines) made.add(section, name, std::string_view(content));
  made.seal();
  return made;
}

TEST(Manifest, ItsFingerprintIsPinned) {
  // A change of this value makes every remembered result stale: raise kManifestFormat when that is meant.
  EXPECT_EQ(
      manifest({{Section::kCode, "a.py", "x"}, {Section::kUpstream, "//code:c", "y"}}).fingerprint().hex(),
      "0b3f1fbee4394e23af9fbf46b9dcddbb");
}

TEST(Manifest, TheOrderOfAddingDoesNotMatter) {
  EXPECT_EQ(manifest({{Section::kCode, "a", "1"}, {Section::kAttr, "b", "2"}}).fingerprint(),
            manifest({{Section::kAttr, "b", "2"}, {Section::kCode, "a", "1"}}).fingerprint());
}

TEST(Manifest, NamesSectionsAndContentsAllCount) {
  const Fingerprint one = manifest({{Section::kCode, "a", "1"}}).fingerprint();
  EXPECT_NE(one, manifest({{Section::kData, "a", "1"}}).fingerprint());
  EXPECT_NE(one, manifest({{Section::kCode, "b", "1"}}).fingerprint());
  EXPECT_NE(one, manifest({{Section::kCode, "a", "2"}}).fingerprint());
  EXPECT_NE(one, manifest({}).fingerprint());
}

TEST(Manifest, ReadsBackAsItWasWritten) {
  const Manifest made = manifest(
      {{Section::kCode, std::string("odd\n\xff name", 10), "1"}, {Section::kUpstream, "//job:a", "2"}});
  EXPECT_EQ(Manifest::decode(made.encode())->lines(), made.lines());
  EXPECT_FALSE(Manifest::decode(made.encode().substr(1)));
  EXPECT_FALSE(Manifest::decode(made.encode() + "x"));
}

TEST(Manifest, DifferencesNameTheLine) {
  const Manifest before =
      manifest({{Section::kCode, "a", "1"}, {Section::kCode, "b", "1"}, {Section::kUpstream, "u", "1"}});
  const Manifest now =
      manifest({{Section::kCode, "a", "2"}, {Section::kCode, "c", "1"}, {Section::kUpstream, "u", "2"}});
  EXPECT_EQ(differences(before, now),
            (std::vector<Reason>{{ReasonKind::kInputChanged, Section::kCode, "a"},
                                 {ReasonKind::kInputRemoved, Section::kCode, "b"},
                                 {ReasonKind::kInputAdded, Section::kCode, "c"},
                                 {ReasonKind::kUpstreamChanged, Section::kUpstream, "u"}}));
  EXPECT_TRUE(differences(now, now).empty());
}

TEST(RunId, ComesOfLabelFingerprintAndAttempt) {
  const Label label{"", "job", "a"};
  const std::string id = run_id_of(label, {1, 2}, 1);
  EXPECT_EQ(id.size(), 12U);
  EXPECT_EQ(id, run_id_of(label, {1, 2}, 1));
  EXPECT_NE(id, run_id_of(label, {1, 2}, 2));
  EXPECT_NE(id, run_id_of(label, {1, 3}, 1));
  EXPECT_NE(id, run_id_of({"", "job", "b"}, {1, 2}, 1));
}

TEST(Looks, AFileWrittenJustNowProvesNothing) {
  Stat stat{1, 1'000'000'123, 1'000'000'123, 1, 0644, FileKind::kFile};
  EXPECT_TRUE(is_racy(stat, 1'000'000'123));
  EXPECT_TRUE(is_racy(stat, 1'010'000'000));
  EXPECT_FALSE(is_racy(stat, 1'100'000'000));
  stat.mtime_ns = stat.ctime_ns = 2'000'000'000;  // a clock of whole seconds
  EXPECT_TRUE(is_racy(stat, 3'500'000'000));
  EXPECT_FALSE(is_racy(stat, 4'500'000'000));
}

TEST(Looks, AFileAndTheLinkThatLeadsToItAreTwoLooks) {
  Looks looks;
  looks.files = {{"a", {}, {}, Links::kFollow}, {"a", {}, {}, Links::kKeep}, {"a", {}, {}, Links::kFollow}};
  looks.normalize();
  EXPECT_EQ(looks.files.size(), 2U);
}

TEST(Looks, TheEarliestLookOfAPathIsKept) {
  Looks looks;
  looks.files = {{"b", {2, 0, 0, 0, 0, FileKind::kFile}},
                 {"a", {1, 0, 0, 0, 0, FileKind::kFile}},
                 {"b", {3, 0, 0, 0, 0, FileKind::kFile}}};
  looks.normalize();
  ASSERT_EQ(looks.files.size(), 2U);
  EXPECT_EQ(looks.files[1].stat.size, 2U);
}

}  // namespace
}  // namespace trainmake
