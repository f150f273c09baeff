#include "rules/job/platforms/slurm/slurm_queue.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kLongestPauseInTrouble_ns = 30 * kSecond_ns;
constexpr std::int64_t kWantedFor_ns = 120 * kSecond_ns;
// More do not fit into the words of a command; then all jobs of the cluster are asked for.
constexpr std::size_t kMostNames = 2000;

Error cannot_tell(const std::string& what, const std::string& why) {
  return user_error(cat("Slurm does not tell ", what, ": ", printable(why)),
                    "`scontrol ping` tells whether it is well")
      .because(Blame::kRemote);
}

Result<std::vector<SlurmJob>> ask_for(SlurmCommands& commands, const std::vector<std::string>& names) {
  auto told = commands.run(squeue_words(names.size() > kMostNames ? std::vector<std::string>() : names));
  if (!told) return fail(std::move(told).error().because(Blame::kRemote));
  if (told->exit_code != 0) return fail(cannot_tell("how jobs go", complaint_of(told->errors)));
  std::optional<std::vector<SlurmJob>> jobs = parse_squeue(told->output);
  if (!jobs) return fail(cannot_tell("how jobs go", "`squeue` says what is not understood"));
  return *std::move(jobs);
}

}  // namespace

Result<std::optional<std::vector<SlurmJob>>> SlurmQueue::named(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = clock_.steady_ns();
  wanted_[name] = now;
  if (now >= next_ns_) TRY(ask());
  if (error_) return fail(*error_);
  if (!asked_.contains(name)) return std::optional<std::vector<SlurmJob>>();
  const auto found = answer_.find(name);
  return std::optional(found == answer_.end() ? std::vector<SlurmJob>() : found->second);
}

// REQUIRES: the lock is held.
Result<void> SlurmQueue::ask() {
  const std::int64_t began = clock_.steady_ns();
  std::erase_if(wanted_, [&](const auto& entry) { return began - entry.second > kWantedFor_ns; });
  std::vector<std::string> names;
  for (const auto& [name, when] : wanted_) names.push_back(name);
  auto jobs = ask_for(commands_, names);
  const std::int64_t now = clock_.steady_ns();
  if (!jobs) {
    failures_ = std::min(failures_ + 1, 5);
    next_ns_ = now + std::min(kSecond_ns << failures_, kLongestPauseInTrouble_ns);
    error_ = std::move(jobs).error();
    return fail(*error_);
  }
  failures_ = 0;
  error_.reset();
  next_ns_ = now + kSecond_ns;
  asked_ = {names.begin(), names.end()};
  answer_.clear();
  for (SlurmJob& job : *jobs) {
    if (asked_.contains(job.name)) answer_[job.name].push_back(std::move(job));
  }
  return {};
}

void SlurmQueue::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  asked_.erase(name);
}

Result<std::vector<SlurmJob>> SlurmQueue::named_now(const std::string& name) {
  TRY_ASSIGN(std::vector<SlurmJob> jobs, ask_for(commands_, {name}));
  std::erase_if(jobs, [&](const SlurmJob& job) { return job.name != name; });
  return jobs;
}

Result<std::vector<SlurmJob>> SlurmQueue::kept(const std::string& number) {
  const std::lock_guard lock(mutex_);
  if (!has_accounting_) return std::vector<SlurmJob>();
  auto told = commands_.run(sacct_words({number}));
  if (!told && told.error().blame == Blame::kRemote) return fail(std::move(told).error());
  if (!told || told->errors.find("accounting storage is disabled") != std::string::npos) {
    has_accounting_ = false;
    return std::vector<SlurmJob>();
  }
  if (told->exit_code != 0) return fail(cannot_tell("what became of a job", complaint_of(told->errors)));
  std::optional<std::vector<SlurmJob>> jobs = parse_sacct(told->output);
  if (!jobs) return fail(cannot_tell("what became of a job", "`sacct` says what is not understood"));
  return *std::move(jobs);
}

}  // namespace trainmake
