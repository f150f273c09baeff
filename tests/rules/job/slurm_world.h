// A workspace in a temporary folder with a platform of type slurm over it, whose Slurm is the fake one or,
// where the environment leads to daemons, the real one.
#pragma once

#include <gtest/gtest.h>

#include "rules/job/platforms/slurm/slurm_platform.h"
#include "tests/rules/job/fake_slurm.h"
#include "tests/rules/job/local_world.h"

namespace trainmake {

struct SlurmWorld {
  explicit SlurmWorld(Processes* real = nullptr, SlurmOptions given = {})
      : processes(real != nullptr ? *real : slurm), options(shared(std::move(given), folder)) {}

  ScratchFolder folder;
  FakeSlurm slurm;
  Processes& processes;
  NoHttp http;
  Environment environment = Environment::of_process();
  Host host{real_file_system(), processes, http, real_clock(), environment};
  Workspace workspace{folder.path(), folder.path("cache"), ""};
  Blobs blobs{real_file_system(), folder.path("cache")};
  SlurmOptions options;
  SlurmPlatform platform{host, workspace, blobs, options, default_contract(), TRAINMAKE_ON_NODE};

  JobHandle submit(const JobSpec& spec, const Secrets& secrets = {}) {
    auto job = platform.submit(spec, secrets);
    EXPECT_TRUE(job) << (job ? "" : job.error().message);
    return {spec.run, spec.key, job.value_or("")};
  }
  template <typename Until>
  JobStatus await(const JobHandle& job, Until until) {
    const std::int64_t began = real_clock().steady_ns();
    JobStatus status;
    do {
      if (auto polled = platform.poll(job)) status = *polled;
      if (until(status)) return status;
    } while (!real_clock().wait(std::chrono::milliseconds(2), {}) &&
             real_clock().steady_ns() - began < 30'000'000'000);
    ADD_FAILURE() << "never came; last " << name_of(status.status) << " " << status.reason;
    return status;
  }
  JobStatus await_end(const JobHandle& job) {
    return await(job, [](const JobStatus& status) { return is_over(status.status); });
  }
  JobStatus run(const JobSpec& spec, const Secrets& secrets = {}) { return await_end(submit(spec, secrets)); }
  std::string log(const JobSpec& spec) {
    return platform.read_log({spec.run, spec.key, ""}, {0, 1U << 20U}).value_or("cannot be read");
  }
  SlurmRun run_of(const JobSpec& spec) { return *platform.folder_of(spec.run); }

  ListedFile stored(const std::string& key, const std::string& content, std::uint32_t mode = 0644) {
    ListedFile file;
    file.key = key;
    file.size = content.size();
    file.mode = mode;
    file.sha256 = *blobs.put(content);
    return file;
  }
  ListedFile in_place(const std::string& key, const std::string& content) {
    folder.write(key, content);
    ListedFile file;
    file.key = file.source = key;
    file.size = content.size();
    file.content = digest_of(content);
    return file;
  }
  static SlurmOptions shared(SlurmOptions given, const ScratchFolder& folder) {
    given.shared_dir = folder.path("shared");
    std::filesystem::create_directory(given.shared_dir);
    return given;
  }
  static GivenTree tree(Listing listing, std::string channel = "") {
    return {"//data:d", std::move(channel), std::make_shared<const Listing>(std::move(listing))};
  }
};

}  // namespace trainmake
