#include "rules/job/platforms/uai/uai_jobs.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kLongestPause_ns = 15 * kSecond_ns;
constexpr std::int64_t kLongestPauseInTrouble_ns = 60 * kSecond_ns;
constexpr std::int64_t kBetweenQuestions_ns = 5 * kSecond_ns;  // for one that no list has
constexpr const char* kAction = "GetUAITrainJobList";
constexpr const char* kDoing = "look at the jobs";

Error not_whole(std::size_t told, std::int64_t total) {
  return user_error(
             cat("UAI-Train tells of ", told, " jobs and says that there are ", total),
             "Nothing is concluded from that: run it again, and should it stay so, look at UCloud's console")
      .because(Blame::kRemote);
}

}  // namespace

const UaiJob* UaiJobs::known(const std::string& id, const std::string& name) const {
  const UaiJob* first = nullptr;
  for (const UaiJob& job : jobs_) {
    if (!id.empty() && job.id == id) return &job;
    const bool is_ours = id.empty() && job.name == name;
    if (is_ours && (first == nullptr || job.created_s < first->created_s)) first = &job;
  }
  return first;
}

Result<UaiSight> UaiJobs::find(const std::string& id, const std::string& name, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = clock_.steady_ns();
  const bool in_haste = !was_asked_ || known(id, name) == nullptr;
  if (now >= (in_haste ? soon_ns_ : next_ns_)) TRY(ask(stop));
  if (error_) return fail(*error_);
  UaiSight sight;
  if (const UaiJob* job = known(id, name)) {
    sight.job = *job;
    missing_.erase(id);
  } else if (!id.empty()) {
    Missing& missing = missing_[id];
    if (!missing.sight || clock_.steady_ns() >= missing.next_ns) {
      auto told = ask_for(id, stop);
      if (!told && told.error().blame == Blame::kInterrupted) return fail(std::move(told).error());
      missing.sight = std::move(told);
      missing.next_ns = clock_.steady_ns() + kBetweenQuestions_ns;
    }
    TRY_ASSIGN(sight, *missing.sight);
  }
  const std::string& ours = sight.job ? sight.job->id : id;
  for (const UaiJob& job : jobs_) {
    if (job.name == name && job.id != ours && !is_over(status_of(job).status)) sight.twins.push_back(job.id);
  }
  return sight;
}

// REQUIRES: the lock is held.
Result<UaiSight> UaiJobs::ask_for(const std::string& id, const std::stop_token& stop) {
  UaiSight sight;
  TRY_ASSIGN(const std::string list,
             api_.look_once(kAction, {{"TrainJobId", id}, {"Offset", "0"}, {"Limit", "0"}}, kDoing, stop));
  TRY_ASSIGN(const std::vector<UaiJob> jobs, parse_uai_jobs(list));
  for (const UaiJob& job : jobs) {
    if (job.id == id) sight.job = job;
  }
  if (sight.job) return sight;
  constexpr const char* kInfo = "GetUAITrainRunningInfo";
  TRY_ASSIGN(const UaiAnswer answer, api_.send(kInfo, {{"TrainJobId", id}}, stop));
  if (answer.is_refusal() && !answer.says_no_such_job())
    return fail(api_.refusal(answer, kInfo, "look for the job"));
  sight.is_unlisted = !answer.is_refusal();
  return sight;
}

Result<std::vector<UaiJob>> UaiJobs::named_now(const std::string& name, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  TRY(ask(stop));
  std::vector<UaiJob> ours;
  std::copy_if(jobs_.begin(), jobs_.end(), std::back_inserter(ours),
               [&](const UaiJob& job) { return job.name == name; });
  std::stable_sort(ours.begin(), ours.end(),
                   [](const UaiJob& a, const UaiJob& b) { return a.created_s < b.created_s; });
  return ours;
}

void UaiJobs::expect_news() {
  const std::lock_guard lock(mutex_);
  pause_ns_ = kSecond_ns;
  next_ns_ = std::min(next_ns_, soon_ns_);
}

// Page by page, until there are as many as the service says there are.
Result<std::vector<UaiJob>> UaiJobs::ask_for_all(const std::stop_token& stop) {
  std::vector<UaiJob> all;
  std::set<std::string> ids;
  std::size_t told = 0;
  std::int64_t total = 0;
  do {
    // The vendor's own tools never ask for less than they leave out.
    TRY_ASSIGN(const std::string body,
               api_.look_once(kAction, {{"TrainJobId", ""}, {"Offset", cat(told)}, {"Limit", cat(total)}},
                              kDoing, stop));
    TRY_ASSIGN(std::vector<UaiJob> page, parse_uai_jobs(body));
    told += page.size();
    const std::int64_t now = parse_uai_total(body).value_or(static_cast<std::int64_t>(told));
    // Where some went meanwhile, others moved up and were passed over.
    const bool is_stuck = page.empty() && std::cmp_less(told, now);
    if (is_stuck || now < total) return fail(not_whole(told, now));
    total = now;
    for (UaiJob& job : page) {
      if (ids.insert(job.id).second) all.push_back(std::move(job));
    }
  } while (std::cmp_less(told, total));
  return all;
}

// REQUIRES: the lock is held.
Result<void> UaiJobs::ask(const std::stop_token& stop) {
  was_asked_ = true;
  auto jobs = ask_for_all(stop);
  if (!jobs && jobs.error().blame == Blame::kInterrupted) return fail(std::move(jobs).error());
  const std::int64_t now = clock_.steady_ns();
  if (!jobs) {
    failures_ = std::min(failures_ + 1, 6);
    soon_ns_ = next_ns_ = now + std::min(kSecond_ns << failures_, kLongestPauseInTrouble_ns);
    error_ = std::move(jobs).error();
    return fail(*error_);
  }
  failures_ = 0;
  error_.reset();
  const bool is_news = jobs_ != *jobs;
  jobs_ = *std::move(jobs);
  pause_ns_ = is_news ? kSecond_ns : std::min(std::max(kSecond_ns, pause_ns_ * 3 / 2), kLongestPause_ns);
  soon_ns_ = now + kSecond_ns;
  next_ns_ = now + pause_ns_;
  return {};
}

}  // namespace trainmake
