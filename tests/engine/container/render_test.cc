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

// It may write to a folder, and signals end it as they do outside.
ContainerSpec example_of_a_job() {
  ContainerSpec job = example();
  job.mounts.push_back({"/cache/runs/1/output", "/output", true});
  job.is_first = false;
  job.terminal = true;
  job.devices = {{"/dev/nvidia3", "/dev/nvidia0"}};
  return job;
}

TEST(Render, OciConfigOfAJob) {
  expect_golden("container/job.json", render_oci_config(example_of_a_job()) + "\n");
}

TEST(Render, BubblewrapOfAJob) {
  std::string lines = render_bubblewrap(example_of_a_job());
  std::replace(lines.begin(), lines.end(), '\0', '\n');
  expect_golden("container/bubblewrap-job", lines);
}

TEST(Render, ApptainerOfAJob) {
  ContainerSpec job = example_of_a_job();
  job.mounts.push_back({"/a \"b\", c", "/data"});
  job.environment["HOME"] = "/home/job";
  job.mounts.push_back({"/cache/runs/1/home", "/home/job", true});
  std::string lines = join(render_apptainer(job), "\n") + "\n==== environment\n";
  for (const auto& [name, value] : apptainer_environment(job)) lines += cat(name, "=", value, "\n");
  expect_golden("container/apptainer-job", lines);
}

TEST(Render, WithTheHostsNetworkItGoesByTheHostsName) {
  ContainerSpec spec = example();
  const auto has_own_name = [&] {
    const bool in_oci = render_oci_config(spec).find("\"hostname\"") != std::string::npos;
    EXPECT_EQ(render_oci_config(spec).find("\"uts\"") != std::string::npos, in_oci);
    EXPECT_EQ(render_bubblewrap(spec).find("--hostname") != std::string::npos, in_oci);
    EXPECT_EQ(render_bubblewrap(spec).find("--unshare-uts") != std::string::npos, in_oci);
    return in_oci;
  };
  EXPECT_TRUE(has_own_name());
  spec.network = true;
  EXPECT_FALSE(has_own_name());
}

TEST(Render, OciConfig) { expect_golden("container/config.json", render_oci_config(example()) + "\n"); }

TEST(Render, Bubblewrap) {
  std::string lines = render_bubblewrap(example());
  std::replace(lines.begin(), lines.end(), '\0', '\n');
  expect_golden("container/bubblewrap", lines);
}

}  // namespace
}  // namespace trainmake
