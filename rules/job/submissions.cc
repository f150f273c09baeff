#include "rules/job/submissions.h"

#include <chrono>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kLanesAtOnce = 4;
constexpr milliseconds kLook{10};
constexpr std::int64_t kMs_ns = 1'000'000;
constexpr std::int64_t kQuiet_ns = 100 * kMs_ns;       // nobody came for so long, and nobody is coming
constexpr std::int64_t kPatience_ns = 1'000 * kMs_ns;  // nobody came for so long, though somebody is coming
constexpr std::int64_t kLongestWait_ns = 20'000 * kMs_ns;  // of the first one

// What they need from us before they can start: one with little data does not wait for one with much.
Digest128 lane_of(const JobSpec& spec) {
  Hasher hasher;
  hasher.field(spec.image);
  for (const GivenTree& tree : spec.data)
    hasher.field(tree.label).field(tree.channel).field(tree.identity).field(tree.listing);
  return hasher.finish();
}

}  // namespace

Submissions::Submissions(Platform& platform, Clock& clock)
    : platform_(platform), clock_(clock), pool_(kLanesAtOnce) {}

void Submissions::add(Submission job, Then then) {
  const Digest128 key = lane_of(job.spec);
  const std::lock_guard lock(mutex_);
  Lane& lane = lanes_[key];
  lane.last_ns = clock_.steady_ns();
  if (lane.jobs.empty()) {
    lane.first_ns = lane.last_ns;
    pool_.run([this, key] { hand_over(key); });
  }
  lane.jobs.push_back(std::move(job));
  lane.then.push_back(std::move(then));
}

bool Submissions::is_complete(const Digest128& key) {
  const std::lock_guard lock(mutex_);
  const Lane& lane = lanes_.at(key);
  const std::int64_t now = clock_.steady_ns();
  return now - lane.last_ns >= (coming_ > 0 ? kPatience_ns : kQuiet_ns) ||
         now - lane.first_ns >= kLongestWait_ns;
}

void Submissions::hand_over(const Digest128& key) {
  while (!is_complete(key)) clock_.wait(kLook, {});
  Lane lane;
  {
    const std::lock_guard lock(mutex_);
    lane = std::move(lanes_.extract(key).mapped());
  }
  std::vector<Result<std::string>> answers = platform_.submit_all(lane.jobs);
  CHECK(answers.size() == lane.then.size());
  for (std::size_t i = 0; i < answers.size(); ++i) lane.then[i](std::move(answers[i]));
}

}  // namespace trainmake
