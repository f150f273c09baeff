// A platform in memory: jobs do what their command's first word says, one step with each look. Counts starts,
// loses jobs and fails calls on demand. Passes the same conformance suite as the real ones.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "rules/job/contracts.h"
#include "rules/job/platform.h"

namespace trainmake {

// First words: `succeed`, `fail`, `wait` (until released), `print` (its other words, a line each); the others
// write the outputs that the spec declares.
class FakePlatform final : public Platform {
 public:
  explicit FakePlatform(std::string folder, bool reads_stores = false)
      : Platform({.contract = default_contract(),
                  .reads_in_place = !reads_stores,
                  .reads_stores = reads_stores,
                  .one_node = false,
                  .is_near = true}),
        folder_(std::move(folder)) {}
  FakePlatform(std::string folder, PlatformTraits what)
      : Platform(std::move(what)), folder_(std::move(folder)) {}

  std::vector<Result<std::string>> submit_all(const std::vector<Submission>& jobs) override {
    std::lock_guard lock(mutex_);
    std::vector<Result<std::string>> answers;
    for (const Submission& job : jobs) answers.push_back(start(job));
    return answers;
  }

  Result<JobStatus> look_at(const JobHandle& handle, const Patience&) override {
    std::lock_guard lock(mutex_);
    ++polls;
    if (failing_polls > 0) {
      --failing_polls;
      return fail(Error{"The platform does not answer", "", {}, Blame::kRemote});
    }
    const auto found = jobs_.find(handle.key);
    if (found == jobs_.end()) {
      JobStatus unknown;
      unknown.known = false;
      unknown.may_appear = may_appear;
      return unknown;
    }
    Job& job = found->second;
    step(job);
    return job.status;
  }

  Result<std::string> read_log(const JobHandle& handle, const LogPiece& piece) override {
    std::lock_guard lock(mutex_);
    if (failing_logs) return fail(Error{"The platform tells of no log", "", {}, Blame::kRemote});
    const std::string& log = jobs_[handle.key].log;
    const auto size = static_cast<std::int64_t>(log.size());
    const std::int64_t from =
        piece.offset < 0 ? std::max<std::int64_t>(0, size + piece.offset) : std::min(piece.offset, size);
    return log.substr(static_cast<std::size_t>(from), piece.limit);
  }

  std::vector<Result<void>> cancel_all(const std::vector<JobHandle>& jobs, const Patience&) override {
    std::vector<Result<void>> answers;
    for (const JobHandle& job : jobs) answers.push_back(cancel_one(job));
    return answers;
  }
  Result<void> cancel_one(const JobHandle& handle) {
    std::lock_guard lock(mutex_);
    if (failing_cancels > 0) {
      --failing_cancels;
      return fail(step_error("It cannot be ended"));
    }
    Job& job = jobs_[handle.key];
    if (!is_over(job.status.status)) end(job, RunStatus::kCancelled, std::nullopt, "cancelled");
    return {};
  }

  Result<std::string> left(const JobHandle& handle, const LeftRequest& wanted) override {
    if (wanted.what == Left::kLogs || wanted.what == Left::kCheckpointSeen) return std::string();
    return folder_of(handle.run) + (wanted.what == Left::kCheckpoint ? "-checkpoint" : "");
  }
  Result<void> settled(const JobHandle& handle, RunStatus end, const std::vector<std::string>&) override {
    std::lock_guard lock(mutex_);
    ends.emplace_back(handle.run, end);
    return {};
  }

  Result<void> admits(const Outlook&, Asking) override { return {}; }

  void release() {
    std::lock_guard lock(mutex_);
    released_ = true;
  }
  void lose_all() {
    std::lock_guard lock(mutex_);
    for (auto& [key, job] : jobs_) end(job, RunStatus::kLost, std::nullopt, "the machine is gone");
  }
  void forget_all() {
    std::lock_guard lock(mutex_);
    jobs_.clear();
  }
  JobSpec spec_of(const std::string& key) {
    std::lock_guard lock(mutex_);
    return jobs_[key].spec;
  }
  Secrets secrets_of(const std::string& key) {
    std::lock_guard lock(mutex_);
    return jobs_[key].secrets;
  }

  int starts = 0;
  int polls = 0;
  int failing_submits = 0, failing_polls = 0, failing_cancels = 0;
  Blame submit_blame = Blame::kRemote;
  bool failing_logs = false;
  std::int64_t ended_ns = 2'000'000'000;  // of whatever ends
  bool may_appear = false;
  std::vector<std::pair<std::string, RunStatus>> ends;

 private:
  struct Job {
    JobSpec spec;
    Secrets secrets;
    std::string id, word, log;
    JobStatus status;
  };

  Result<std::string> start(const Submission& asked) {
    if (failing_submits > 0) {
      --failing_submits;
      return fail(Error{"The platform refused", "", {}, submit_blame});
    }
    const auto [entry, is_new] = jobs_.try_emplace(asked.spec.key);
    if (!is_new) return entry->second.id;
    Job& job = entry->second;
    job.spec = asked.spec;
    job.secrets = asked.secrets;
    job.id = cat("fake-", ++starts);
    job.word = job.spec.command.empty() ? "succeed" : *job.spec.command[0].string();
    return job.id;
  }

  std::string folder_of(const std::string& run) const { return cat(folder_, "/", run); }

  void end(Job& job, RunStatus status, std::optional<int> code, std::string reason) {
    job.status.status = status;
    job.status.exit_code = code;
    job.status.reason = std::move(reason);
    job.status.ended_ns = ended_ns;
    if (job.status.started_ns == 0) return;
    const std::filesystem::path checkpoint = folder_of(job.spec.run) + "-checkpoint";
    std::filesystem::create_directories(checkpoint);
    if (!job.spec.resume) return;
    std::ofstream(checkpoint / "step") << (job.spec.resumed ? cat("after ", job.spec.resumed->run) : "first");
  }

  static bool is_folder_of_another(const std::map<std::string, std::string>& outputs,
                                   const std::string& path) {
    for (const auto& [name, other] : outputs) {
      if (other.starts_with(path + "/")) return true;
    }
    return false;
  }

  void step(Job& job) {
    if (is_over(job.status.status)) return;
    if (job.status.status == RunStatus::kQueued) {
      job.status.status = RunStatus::kRunning;
      job.status.started_ns = 1'000'000'000;
      job.log += "hello\n";
      for (std::size_t i = 1; i < job.spec.command.size(); ++i)
        job.log += cat(*job.spec.command[i].string(), "\n");
      return;
    }
    if (job.word == "wait" && !released_) return;
    if (job.word == "fail") return end(job, RunStatus::kFailed, 3, "exit code 3");
    std::filesystem::create_directories(folder_of(job.spec.run));
    for (const auto& [name, path] : job.spec.outputs) {
      if (job.word == "print") break;
      if (is_folder_of_another(job.spec.outputs, path)) continue;
      const std::filesystem::path file = std::filesystem::path(folder_of(job.spec.run)) / path;
      std::filesystem::create_directories(file.parent_path());
      std::ofstream(file) << "result";
    }
    end(job, RunStatus::kSucceeded, 0, "");
  }

  std::mutex mutex_;
  std::string folder_;
  std::map<std::string, Job> jobs_;
  bool released_ = false;
};

}  // namespace trainmake
