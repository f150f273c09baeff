// An attribute that is added to a schema and not hashed fails here: what a schema says counts must count, and
// nothing else may.
#include "engine/base/text.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

using Attributes = std::map<std::string, Value>;
using Change = std::pair<Value, Value>;

Value text(const char* words) { return RuleWorld::value(std::string(words)); }

struct Kind {
  std::string name;
  Attributes always;
  std::map<std::string, Change> changes;
};

std::vector<Kind> kinds() {
  const Change words{RuleWorld::list({"a"}), RuleWorld::list({"b"})};
  const Change scalars{RuleWorld::table({{"A", text("1")}}), RuleWorld::table({{"A", text("2")}})};
  const Change names{text("a"), text("b")};
  const auto layer = [](const char* source, const char* dest) {
    return RuleWorld::value(
        Table{{RuleWorld::table({{"srcs", RuleWorld::glob(source)}, {"dest", text(dest)}})}, {}});
  };
  const auto fetched = [](char digit) {
    return RuleWorld::table(
        {{"url", text("https://example.com/set")}, {"sha256", RuleWorld::value(std::string(64, digit))}});
  };
  const std::map<std::string, Change> of_data = {
      {"files", {RuleWorld::glob("data/x.*"), RuleWorld::glob("data/y.*")}},
      {"root", {text("data"), text("")}},
      {"exclude", {text("data/x.*"), text("data/y.*")}},
      {"dest", names},
      {"store", {text("one"), text("two")}},
      {"prefix", names},
      {"prune", {RuleWorld::value(true), RuleWorld::value(false)}},
      {"empty_folders", {RuleWorld::value(true), RuleWorld::value(false)}},
      {"snapshot", {RuleWorld::value(true), RuleWorld::value(false)}},
      {"split", {text("2B"), text("3B")}},
      {"fetch", {fetched('0'), fetched('1')}},
      {"url", {text("s3://theirs/set"), text("s3://theirs/other")}},
      {"digest", {RuleWorld::value(std::string(64, '0')), RuleWorld::value(std::string(64, '1'))}},
      {"tags", words},
      {"notes", names}};
  return {
      {"code",
       {{"srcs", RuleWorld::glob("code/**")}},
       {{"srcs", {RuleWorld::glob("code/a.*"), RuleWorld::glob("code/b.*")}},
        {"main", names},
        {"root", {text("code"), text("")}},
        {"dest", names},
        {"gitignore", {RuleWorld::value(true), RuleWorld::value(false)}},
        {"allow", words},
        {"tags", words},
        {"notes", names}}},
      {"data", {{"files", RuleWorld::glob("data/**")}, {"store", text("one")}}, of_data},
      {"data", {{"url", text("s3://theirs/set")}}, of_data},
      {"image",
       {{"base", text("debian:12")}},
       {{"base", {text("scratch"), text("debian:12")}},
        {"allow", words},
        {"architecture", {text("amd64"), text("arm64")}},
        {"run", {RuleWorld::list({"true"}), RuleWorld::list({"false"})}},
        {"inputs", {RuleWorld::glob("data/x.*"), RuleWorld::glob("data/y.*")}},
        {"network", {RuleWorld::value(true), RuleWorld::value(false)}},
        {"files", {layer("data/**", "/data"), layer("data/**", "/other")}},
        {"env", scalars},
        {"workdir", names},
        {"entrypoint", words},
        {"cmd", words},
        {"user", names},
        {"labels", scalars},
        {"tags", words},
        {"registry", {text("one"), text("two")}},
        {"compression", {text("gzip"), text("zstd")}},
        {"variants", words},
        {"push_cpu", {RuleWorld::value(true), RuleWorld::value(false)}},
        {"dockerfile", names},
        {"secrets", words},
        {"notes", names}}},
  };
}

// What the target is with an attribute at a value: its fingerprint, or that it is refused.
std::string fate(const Kind& kind, const std::string& attribute, const Value& value) {
  RuleWorld world;
  Attributes attributes = kind.always;
  attributes[attribute] = value;
  const Result<Description> description = world.describe(world.add(kind.name, attributes));
  return description ? description->manifest.fingerprint().hex()
                     : cat("refused: ", description.error().message);
}

TEST(Completeness, AnAttributeCountsExactlyWhenItsSchemaSaysSo) {
  for (const Kind& kind : kinds()) {
    RuleWorld world;
    const Schema& schema = kind.name == "code"   ? code_schema()
                           : kind.name == "data" ? data_schema()
                                                 : image_schema();
    for (const Attribute& attribute : schema.attributes) {
      if (!attribute.labels.empty() && attribute.shape != Shape::kVariants)
        continue;  // counted by what it leads to
      const auto change = kind.changes.find(attribute.name);
      ASSERT_NE(change, kind.changes.end())
          << "say here how `" << attribute.name << "` of " << kind.name << " may change";
      const std::string before = fate(kind, attribute.name, change->second.first);
      const std::string after = fate(kind, attribute.name, change->second.second);
      if (before.starts_with("refused")) continue;  // refused whatever it says: it cannot be stale
      EXPECT_EQ(before != after, attribute.effect == Effect::kResult) << kind.name << " " << attribute.name;
    }
  }
}

}  // namespace
}  // namespace trainmake
