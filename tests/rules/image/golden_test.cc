// The bytes of images are the same for everybody, from release to release: a change here is a new image for
// all targets, and retrains what runs in them.
#include "tests/support/golden.h"
#include "engine/base/text.h"
#include "tests/rules/rule_world.h"

namespace trainmake {
namespace {

struct GoldenWorld : RuleWorld {
  using Attributes = std::map<std::string, Value>;

  GoldenWorld() {
    const std::string deep = cat("deep/", std::string(90, 'd'), "/", std::string(90, 'e'));
    files.put("/w/odd/train.py", "print(1)\n");
    files.put("/w/odd/run.sh", "#!/bin/sh\n", 0755);
    files.put("/w/odd/only mine.txt", "x", 0600);
    files.put("/w/odd/empty", "");
    files.put("/w/odd/ünï \"quoted\"/new\nline", "y");
    files.put("/w/odd/a-b/c", "between `a` and `a/`");
    files.put("/w/odd/a/c", "z");
    files.put(cat("/w/odd/", deep, "/", std::string(101, 'f')), "long");
    files.put_link("/w/odd/link", "train.py");
    files.put_link("/w/odd/long link", std::string(120, 'l'));
    files.put("/w/big/weights", std::string(3'000'000, 'w'));
  }

  std::string document(const std::string& digest) {
    return files.content(cat("/w/.trainmake/images/blobs/sha256/", digest));
  }

  // All that a registry would get, layers by their digests.
  std::string image(Attributes attributes, bool with_code = true) {
    attributes.try_emplace("base", value(std::string("scratch")));
    attributes.try_emplace("architecture", list({"amd64"}));
    std::vector<std::pair<std::string, TargetId>> needs;
    if (with_code) {
      const TargetId snapshot = add("code", {{"srcs", glob("odd/**")}, {"root", value(std::string("odd"))}});
      EXPECT_TRUE(execute(snapshot));
      needs.emplace_back("code", snapshot);
    }
    const TargetId id = add("image", attributes, needs);
    const Result<Done> done = execute(id);
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    std::string text;
    if (!done) return text;
    for (const Artifact& artifact : done->artifacts) {
      if (artifact.role == "code") continue;
      const bool is_layer = artifact.role == "layer";
      text += cat(artifact.role, " sha256:", artifact.sha256, ", ", artifact.size, " bytes\n  ",
                  is_layer ? cat("DiffID sha256:", artifact.identity) : document(artifact.sha256), "\n");
    }
    return text;
  }

  Value layer(const std::string& pattern, const std::string& dest) {
    return table({{"srcs", glob(pattern)}, {"dest", value(dest)}});
  }
};

TEST(GoldenImages, CodeWithOddNames) {
  GoldenWorld world;
  expect_golden("images/code.txt", world.image({}));
}

TEST(GoldenImages, FilesAreLayersBelowTheCode) {
  GoldenWorld world;
  const Value files{Table{{world.layer("big/**", "/weights"), world.layer("data/**", "/")}, {}}};
  expect_golden("images/files.txt", world.image({{"files", files}}));
}

TEST(GoldenImages, EverySetting) {
  GoldenWorld world;
  const auto value = [](const std::string& text) { return RuleWorld::value(text); };
  expect_golden("images/settings.txt",
                world.image({{"env", RuleWorld::table({{"PATH", value("/bin")},
                                                       {"GREETING", value("\"grüß\"\n")},
                                                       {"RATE", RuleWorld::value(0.1)},
                                                       {"DEBUG", RuleWorld::value(true)}})},
                             {"entrypoint", RuleWorld::list({"python3", "-u"})},
                             {"cmd", RuleWorld::list({"train.py", "--rate", "0.1"})},
                             {"workdir", value("/data")},
                             {"user", value("1000:1000")},
                             {"labels", RuleWorld::table({{"org.example.b", value("2")}, {"a", value("1")}})},
                             {"tags", RuleWorld::list({"v1", "v2"})}},
                            false));
}

TEST(GoldenImages, SeveralArchitecturesAreAnIndex) {
  GoldenWorld world;
  expect_golden("images/architectures.txt",
                world.image({{"architecture", RuleWorld::list({"amd64", "arm64"})}}));
}

}  // namespace
}  // namespace trainmake
