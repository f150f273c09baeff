#include "rules/data/holding.h"

#include <algorithm>
#include <functional>

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kLeaseTime_ns = kLease_s * kSecond_ns;
// Since it was told: time to tell again; nothing is begun any more without telling again; and nothing goes
// on.
constexpr std::int64_t kTellingTime_ns = kLeaseTime_ns / 3;
constexpr std::int64_t kLongSince_ns = kLeaseTime_ns * 2 / 3;
constexpr std::int64_t kLastMoment_ns = kLeaseTime_ns * 5 / 6;

}  // namespace

void Holding::begin(const std::string& writer, const Moment& asked) {
  lease_.emplace(place_, writer);
  held_since(asked);
}

// What is there by now, in a store that we alone write to since the last time.
Result<bool> Holding::tell(const std::stop_token& stop) {
  const std::lock_guard alone(telling_);
  if (is_overtaken_) return false;
  ledger_.settle();
  const bool repeats = repeats_;
  ledger_.tell_again(repeats);
  Moment asked;
  TRY_ASSIGN(std::optional<std::string> tag, put(stop, asked));
  if (!tag) {
    is_overtaken_ = true;
    return false;
  }
  held_since(asked);
  told_repeats_ = repeats;
  TRY(ledger_.told(*std::move(tag)));
  return true;
}

// Once more to a store that just proved to take no conditions: what lies there is looked at then.
Result<std::optional<std::string>> Holding::put(const std::stop_token& stop, Moment& asked) {
  const bool took_conditions = place_.store->takes_conditions();
  if (!took_conditions) TRY(ledger_.telling());
  asked = now();
  TRY_ASSIGN(std::optional<std::string> tag,
             place_.store->put(place_.manifest_key(), to_json(ledger_.mirror()), ledger_.tag(), stop));
  const bool is_news = took_conditions && !place_.store->takes_conditions();
  return tag || !is_news ? Result<std::optional<std::string>>(std::move(tag)) : put(stop, asked);
}

bool Holding::owes_settling() {
  const std::lock_guard alone(telling_);
  ledger_.settle();
  return ledger_.owes_settling(place_.store->traits().tells_content_to);
}

Result<bool> Holding::hold_on() {
  // Whoever took over and came to his end left nothing but another manifest object; so that has to be the one
  // that we put last, and not one that we are just putting.
  std::unique_lock no_telling(telling_, std::defer_lock);
  if (!was_checked_) no_telling.lock();
  TRY_ASSIGN(const bool is_held, tell_lease(false, {}));
  if (!is_held || !no_telling.owns_lock() || was_checked_) return is_held;
  TRY_ASSIGN(const std::optional<StoredObject> manifest, place_.store->look_at_once(place_.manifest_key()));
  was_checked_ = true;
  const bool is_ours = manifest && manifest->tag == ledger_.tag();
  if (!is_ours) is_overtaken_ = true;
  return is_ours;
}

Result<bool> Holding::tell_lease(bool has_left, const std::stop_token& stop) {
  const std::lock_guard alone(leasing_);
  if (is_overtaken_) return false;
  const Moment asked = now();
  TRY_ASSIGN(const bool is_held, lease_->tell(has_left, stop));
  if (is_held)
    held_since(asked);
  else
    is_overtaken_ = true;
  return is_held;
}

// Others take over from one who has not told for long; so that comes before whatever is begun then. And
// before anything is asked for twice: or they would believe what its first time shows them.
Result<void> Holding::may_write(bool is_repeated) {
  const auto is_told = [&] { return !is_repeated || told_repeats_; };
  const auto is_held = [&] { return since_told_ns() < kLongSince_ns; };
  if (place_.is_local() || (is_told() && is_held())) return {};
  const std::lock_guard one_alone(renewing_);
  bool is_ours = true;
  if (!is_told()) {
    repeats_ = true;
    TRY_ASSIGN(is_ours, tell());
  }
  if (is_ours && !is_held()) {
    TRY_ASSIGN(is_ours, hold_on());
  }
  return is_ours ? Result<void>() : fail(interrupted_error());
}

void Holding::leave() {
  constexpr std::chrono::seconds kShort{3};
  std::stop_source is_late, is_answered;
  const std::jthread watch([&, answered = is_answered.get_token()] {
    if (!clock_.wait(kShort, answered)) is_late.request_stop();
  });
  const Result<bool> is_told = tell_lease(true, is_late.get_token());
  if (is_told && *is_told) (void)tell(is_late.get_token());
  is_answered.request_stop();
}

void Holding::held_since(const Moment& asked) {
  const std::lock_guard lock(mutex_);
  if (asked.steady_ns >= held_.steady_ns) held_ = asked;
}

std::int64_t Holding::since_told_ns() const {
  const Moment moment = now();
  const std::lock_guard lock(mutex_);
  return std::max(moment.steady_ns - held_.steady_ns, moment.wall_ns - held_.wall_ns);
}

bool Holding::took_long() const { return was_checked_ || since_told_ns() > kTellingTime_ns; }

Holding::Keeper::Keeper(Holding& holding, const std::stop_token& outer)
    : holding_(holding),
      on_outer_(outer, [this] { stop.request_stop(); }),
      holds_([this](const std::stop_token& end) { hold(end); }),
      tells_([this](const std::stop_token& end) { tell(end); }) {}

void Holding::Keeper::hold(const std::stop_token& end) {
  while (!holding_.clock_.wait(std::chrono::seconds(kLease_s / 3), end)) {
    if (holding_.since_told_ns() < kTellingTime_ns / 2) continue;
    const Result<bool> is_held = hold_on_in_time();
    const bool is_lost = is_held ? !*is_held : holding_.since_told_ns() > kLastMoment_ns;
    if (is_lost) stop.request_stop();
  }
}

// An answer may come late, or never: the last moment does not wait for it.
Result<bool> Holding::Keeper::hold_on_in_time() {
  std::stop_source answered;
  const std::jthread watch([&, answer = answered.get_token()] {
    const auto left = std::chrono::nanoseconds(kLastMoment_ns - holding_.since_told_ns());
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(left);
    if (!holding_.clock_.wait(std::max(time, std::chrono::milliseconds(0)), answer)) stop.request_stop();
  });
  Result<bool> is_held = holding_.hold_on();
  answered.request_stop();
  return is_held;
}

// For whoever has to go on from here without what we know. Of many objects that takes a while, and then comes
// seldom.
void Holding::Keeper::tell(const std::stop_token& end) {
  constexpr std::chrono::seconds kEvery{60};
  constexpr int kShare = 20;
  std::chrono::nanoseconds pause = kEvery;
  while (!holding_.clock_.wait(std::chrono::ceil<std::chrono::milliseconds>(pause), end)) {
    if (!holding_.ledger_.has_news()) continue;
    const std::int64_t begun = holding_.clock_.steady_ns();
    const Result<bool> is_ours = holding_.tell();
    if (is_ours && !*is_ours) stop.request_stop();
    pause = std::max<std::chrono::nanoseconds>(
        kEvery, kShare * std::chrono::nanoseconds(holding_.clock_.steady_ns() - begun));
  }
}

}  // namespace trainmake
