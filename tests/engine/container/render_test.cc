#include "engine/container/render.h"

#include <gtest/gtest.h>

#include <algorithm>

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
  std::string lines = render_bubblewrap(example());
  std::replace(lines.begin(), lines.end(), '\0', '\n');
  expect_golden("container/bubblewrap", lines);
}

}  // namespace
}  // namespace trainmake
