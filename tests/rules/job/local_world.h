// A workspace in a temporary folder with a local platform over it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "rules/job/platforms/local/local_platform.h"
#include "tests/rules/job/forking_processes.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {

// A clock on which waiting takes no time to speak of.
class HastyClock final : public Clock {
 public:
  std::int64_t now_ns() override { return now_.fetch_add(1); }
  std::int64_t steady_ns() override { return now_.fetch_add(1); }
  bool wait(std::chrono::milliseconds time, std::stop_token) override {
    now_ += std::chrono::nanoseconds(time).count();
    return false;
  }

 private:
  std::atomic<std::int64_t> now_{1};
};

inline Value text_value(std::string words) {
  Value value;
  value.data = std::move(words);
  return value;
}

inline JobSpec spec_named(int number) {
  JobSpec spec;
  spec.run = cat("run", number);
  spec.key = cat("trainmake-run", number);
  spec.checkpoint = cat("checkpoint", number);
  spec.label = "//job:j";
  spec.outputs = {{"o", "o.txt"}};
  return spec;
}

// Runs `script` with sh.
inline JobSpec script_spec(int number, const std::string& script) {
  JobSpec spec = spec_named(number);
  spec.command = {text_value("sh"), text_value("-c"), text_value(script)};
  return spec;
}

struct LocalWorld {
  explicit LocalWorld(LocalOptions options = {}, Contract contract = default_contract())
      : platform(host, workspace, blobs, options, contract_with(options, std::move(contract))) {}

  ScratchFolder folder;
  ForkingProcesses processes;
  NoHttp http;
  Environment environment = Environment::of_process();
  Host host{real_file_system(), processes, http, real_clock(), environment};
  Workspace workspace{folder.path(), folder.path("cache"), ""};
  Blobs blobs{real_file_system(), folder.path("cache")};
  LocalPlatform platform;

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

  // Runs a script to its end.
  JobStatus run(const JobSpec& spec, const Secrets& secrets = {}) { return await_end(submit(spec, secrets)); }
  std::string log(const JobSpec& spec) {
    return platform.read_log({spec.run, spec.key, ""}, {0, 1U << 20U}).value_or("cannot be read");
  }

  GivenTree in_place(const std::vector<std::pair<std::string, std::string>>& files,
                     std::string channel = "") {
    Listing listing;
    for (const auto& [key, source] : files) {
      ListedFile file;
      file.key = key;
      file.source = source;
      listing.push_back(file);
    }
    return {"//data:d", std::move(channel), std::make_shared<const Listing>(std::move(listing))};
  }
  ListedFile stored(const std::string& key, const std::string& content, std::uint32_t mode = 0644) {
    ListedFile file;
    file.key = key;
    file.size = content.size();
    file.mode = mode;
    file.sha256 = *blobs.put(content);
    return file;
  }
};

}  // namespace trainmake
