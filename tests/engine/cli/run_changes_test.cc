#include "engine/cli/run_changes.h"

#include "engine/cli/run_inputs.h"
#include "tests/engine/cli/looking_back.h"

namespace trainmake {
namespace {

// A run of an image with code and of data; what they are is said by one word each.
struct Made {
  std::string code, data;
};

Manifest manifest_with(Section section, const std::string& name, const std::string& content) {
  Manifest manifest;
  manifest.add(section, name, content);
  manifest.seal();
  return manifest;
}

struct Changes : testing::Test, LookingBack {
  void remember_result(const Label& label, const Manifest& manifest, const Artifacts& artifacts) {
    ASSERT_TRUE(state->remember({label, manifest.fingerprint(), manifest, artifacts, 1, "0", ""}));
  }
  void remember_code(const std::string& code) {
    remember_result({"", "code", "c"}, manifest_with(Section::kCode, "a.py", code),
                    {{"tree", code, "", 1, ""}});
    remember_result({"", "image", "i"}, manifest_with(Section::kUpstream, "//code:c", code),
                    {{"image", "image of " + code, "", 1, ""}, {"code", code, "", 1, ""}});
  }
  void remember_data(const std::string& data) {
    remember_result({"", "data", "d"}, manifest_with(Section::kData, "b.txt", data),
                    {{"tree", data, "", 1, ""}});
  }
  static trainmake::Run made_of(const Made& made) {
    auto run = run_of({"abc000000000", job("x")});
    run.manifest = {};
    run.manifest.add(Section::kUpstream, "//image:i", made.code);
    run.manifest.add(Section::kUpstream, "//data:d", made.data);
    run.manifest.seal();
    run.provenance_json =
        cat(R"({"image":"image of )", made.code,
            R"(","data":[{"label":"//data:d","channel":"train","identity":")", made.data, R"("}]})");
    return run;
  }
  std::string told(const Made& before, const Made& now) {
    const auto changes = changes_between(*state, made_of(before), made_of(now));
    if (!changes) return changes.error().message;
    std::string text;
    for (const RunChange& change : *changes)
      text += cat(change.label.text(), " ", name_of(change.reason.kind), " ", change.reason.name, "\n");
    return text;
  }
};

TEST_F(Changes, AreToldByTheFilesOfUpstreams) {
  for (const char* word : {"one", "two"}) remember_code(word), remember_data(word);
  EXPECT_EQ(told({"one", "one"}, {"two", "one"}), "//code:c input_changed a.py\n");
  EXPECT_EQ(told({"one", "one"}, {"one", "two"}), "//data:d input_changed b.txt\n");
  EXPECT_EQ(told({"one", "one"}, {"one", "one"}), "");
}

TEST_F(Changes, NameTheUpstreamThatIsNotRememberedAnyMore) {
  remember_code("two");
  EXPECT_EQ(told({"one", "one"}, {"two", "two"}),
            "//job:x upstream_changed //data:d\n//job:x upstream_changed //image:i\n");
}

TEST_F(Changes, InputsSayWhetherTheyAreAllThere) {
  remember_code("one");
  remember_data("one");
  const auto whole = made_of({"one", "one"}), part = made_of({"one", "two"});
  const auto inputs = inputs_of(*state, {&whole, &part});
  ASSERT_TRUE(inputs);
  EXPECT_TRUE((*inputs)[0].complete);
  EXPECT_EQ((*inputs)[0].data.at(0).channel, "train");
  EXPECT_NE((*inputs)[0].find("//code:c"), nullptr);
  EXPECT_FALSE((*inputs)[1].complete);
}

}  // namespace
}  // namespace trainmake
