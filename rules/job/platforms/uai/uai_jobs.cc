#include "rules/job/platforms/uai/uai_jobs.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kLongestPause_ns = 15 * kSecond_ns;
constexpr std::int64_t kLongestPauseInTrouble_ns = 60 * kSecond_ns;
constexpr std::int64_t kBetweenQuestions_ns = 5 * kSecond_ns;  // for one that no list has
constexpr int kMostPages = 1'000;                              // whatever it says that there are
constexpr const char* kAction = "GetUAITrainJobList";
constexpr const char* kDoing = "look at the jobs";

Error not_whole(std::size_t told, std::int64_t total) {
  return user_error(
             cat("UAI-Train tells of ", told, " jobs and says that there are ", total),
             "Nothing is concluded from that: run it again, and should it stay so, look at UCloud's console")
      .because(Blame::kRemote);
}

}  // namespace

bool UaiSight::is_usable() const {
  if (!job) return false;
  const RunStatus status = status_of(*job).status;
  return !is_over(status) || status == RunStatus::kSucceeded;
}

bool UaiJobs::is_listed(const std::string& id, const std::string& name) const {
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [&](const UaiJob& job) { return id.empty() ? job.name == name : job.id == id; });
}

// REQUIRES: the lock is held.
UaiSight UaiJobs::sight_of(const std::string& id, const std::string& name,
                           const std::optional<UaiJob>& unlisted) const {
  std::vector<const UaiJob*> ours;
  for (const UaiJob& job : jobs_) {
    if (job.name == name || (!id.empty() && job.id == id)) ours.push_back(&job);
  }
  if (unlisted) ours.push_back(&*unlisted);
  std::sort(ours.begin(), ours.end(), [](const UaiJob* a, const UaiJob* b) {
    return std::tie(a->created_s, a->id) < std::tie(b->created_s, b->id);
  });
  UaiSight sight;
  const UaiJob* done = nullptr;
  const UaiJob* going = nullptr;
  const UaiJob* known = nullptr;
  for (const UaiJob* job : ours) {
    const RunStatus status = status_of(*job).status;
    if (!is_over(status)) sight.going.push_back(job->id);
    if (!is_over(status) && going == nullptr) going = job;
    if (status == RunStatus::kSucceeded && done == nullptr) done = job;
    if (job->id == id || known == nullptr) known = job;
  }
  for (const UaiJob* job : {done, going, known}) {
    if (job == nullptr) continue;
    sight.job = *job;
    break;
  }
  return sight;
}

Result<UaiSight> UaiJobs::find(const std::string& id, const std::string& name, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = clock_.steady_ns();
  const bool in_haste = !was_asked_ || !is_listed(id, name);
  if (now >= (in_haste ? soon_ns_ : next_ns_)) TRY(ask(stop));
  if (error_) return fail(*error_);
  if (id.empty() || is_listed(id, name)) {
    missing_.erase(id);
    return sight_of(id, name, {});
  }
  Missing& missing = missing_[id];
  if (!missing.sight || clock_.steady_ns() >= missing.next_ns) {
    auto told = ask_for(id, stop);
    if (!told && told.error().blame == Blame::kInterrupted) return fail(std::move(told).error());
    missing.sight = std::move(told);
    missing.next_ns = clock_.steady_ns() + kBetweenQuestions_ns;
  }
  TRY_ASSIGN(const UaiSight by_id, *missing.sight);
  UaiSight sight = sight_of(id, name, by_id.job);
  // When that was made is not known, so that it is not compared with the others.
  if (by_id.is_unlisted) {
    sight.job.reset();
    sight.is_unlisted = true;
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

Result<UaiSight> UaiJobs::look_now(const std::string& name, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  TRY(ask(stop));
  return sight_of("", name, {});
}

Result<UaiSight> UaiJobs::look_before_start(const std::string& name, const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  if (!was_asked_before_start_) {
    if (error_ && clock_.steady_ns() < soon_ns_) return fail(*error_);
    TRY(ask(stop));
    was_asked_before_start_ = true;
  }
  return sight_of("", name, {});
}

Result<std::vector<UaiJob>> UaiJobs::all_now(const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  TRY(ask(stop));
  return jobs_;
}

void UaiJobs::expect_news() {
  const std::lock_guard lock(mutex_);
  pause_ns_ = kSecond_ns;
  next_ns_ = std::min(next_ns_, soon_ns_);
}

// Page by page, until there are as many as the service says there are. One that is told twice is one.
Result<std::vector<UaiJob>> UaiJobs::ask_for_all(const std::stop_token& stop) {
  std::vector<UaiJob> all;
  std::set<std::string> ids;
  std::int64_t total = 0;
  for (int pages = 1;; ++pages) {
    if (stop.stop_requested()) return fail(interrupted_error());
    // The vendor's own tools never ask for less than they leave out.
    TRY_ASSIGN(
        const std::string body,
        api_.look_once(kAction, {{"TrainJobId", ""}, {"Offset", cat(all.size())}, {"Limit", cat(total)}},
                       kDoing, stop));
    TRY_ASSIGN(std::vector<UaiJob> page, parse_uai_jobs(body));
    const std::size_t before = all.size();
    for (UaiJob& job : page) {
      if (ids.insert(job.id).second) all.push_back(std::move(job));
    }
    const std::int64_t now = parse_uai_total(body).value_or(static_cast<std::int64_t>(all.size()));
    const bool lacks_some = std::cmp_less(all.size(), now);
    const bool is_stuck = lacks_some && (all.size() == before || pages == kMostPages);
    // Where some went meanwhile, others moved up and were passed over.
    if (is_stuck || now < total) return fail(not_whole(all.size(), now));
    if (!lacks_some) return all;
    total = now;
  }
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
