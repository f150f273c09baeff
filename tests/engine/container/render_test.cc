#include "engine/container/render.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "tests/support/golden.h"

namespace trainmake {
namespace {

ContainerSpec example() {
  return {"/cache/steps/1/root",
          {"/bin/sh", "-c", "pip install nltk"},
          {{"HOME", "/root"}, {"PATH", "/usr/bin:/bin"}},
          "/app",
          {33, 34, {100, 101}},
          {{"/cache/steps/1/inputs/requirements.txt", "/app/requirements.txt"}}};
}

TEST(Render, OciConfig) { expect_golden("container/config.json", render_oci_config(example()) + "\n"); }

TEST(Render, Bubblewrap) {
  expect_golden("container/bubblewrap", join(render_bubblewrap(example()), "\n") + "\n");
}

TEST(Render, BubblewrapHasTheEnvironmentInNoArgument) {
  ContainerSpec spec = example();
  spec.environment["TOKEN"] = "s3cr3t";
  EXPECT_EQ(join(render_bubblewrap(spec), " ").find("s3cr3t"), std::string::npos);
}

}  // namespace
}  // namespace trainmake
