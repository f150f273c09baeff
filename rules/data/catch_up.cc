#include "rules/data/catch_up.h"

#include <algorithm>
#include <functional>

#include "cache/file_digests.h"
#include "cache/stores/at_once.h"
#include "engine/base/text.h"
#include "rules/data/pulse.h"

namespace trainmake {
namespace {

constexpr std::size_t kAskedAtOnce = 16;

const ListedFile* file_of(const Listing& listing, const std::string& key) {
  const auto found =
      std::lower_bound(listing.begin(), listing.end(), key,
                       [](const ListedFile& file, const std::string& asked) { return file.key < asked; });
  return found != listing.end() && found->key == key ? &*found : nullptr;
}

std::vector<std::string> being_removed(const Mirror& mirror) {
  std::vector<std::string> keys;
  for (const UnsettledKey& key : mirror.unsettled) {
    if (key.what == Unsettled::kRemoving) keys.push_back(key.key);
  }
  return keys;
}

// A removal that others announced is still to come. Where nothing is asked for twice, what is gone will not
// be removed again.
bool is_any_there(const std::vector<std::string>& keys, const Mirror& asked) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return find_object(asked, key) != nullptr; });
}

// What others may still do to what we would read or send.
bool may_change(const Mirror& mirror, const Listing* listing) {
  return std::any_of(mirror.unsettled.begin(), mirror.unsettled.end(), [&](const UnsettledKey& key) {
    return listing == nullptr || key.what == Unsettled::kSending || file_of(*listing, key.key) != nullptr;
  });
}

using Found = std::optional<StoredObject>;

// Where a look does not tell what lies there, its bytes do; they are read where it may be ours.
Result<void> read_content(const StorePlace& place, const UnsettledKey& key, Found& found) {
  if (!found || found->content || found->tag.empty()) return {};
  const bool may_be_ours = found->size == key.size || !key.ours.empty();
  if (place.store->traits().tells_content(found->size) || !may_be_ours) return {};
  ContentHasher hasher;
  const ByteSink to = [&](std::string_view bytes) {
    hasher.add(bytes);
    return Result<void>();
  };
  TRY_ASSIGN(const ReadEnd end,
             place.store->read({.key = place.key(key.key), .tag = found->tag, .size = found->size}, to, {}));
  if (end == ReadEnd::kWhole) found->content = hasher.finish();
  return {};
}

// Looks at the unsettled keys at these positions, and reads those whose content is asked for and not told.
// `settle` says what each is then: an object, or it stays, or neither.
enum class Settled : std::uint8_t { kObject, kOpen, kNothing };
enum class Content : std::uint8_t { kAsTold, kRead };
Result<void> look_at(const StorePlace& place, Mirror& mirror, const std::vector<std::size_t>& asked,
                     Content content,
                     const std::function<Settled(const UnsettledKey&, const Found&)>& settle) {
  std::vector<Found> found(asked.size());
  TRY(at_once(asked.size(), kAskedAtOnce, [&](std::size_t i) -> Result<void> {
    const UnsettledKey& key = mirror.unsettled[asked[i]];
    TRY_ASSIGN(found[i], place.store->look(place.key(key.key)));
    return content == Content::kRead ? read_content(place, key, found[i]) : Result<void>();
  }));
  std::vector<UnsettledKey> left;
  auto next = asked.begin();
  for (std::size_t i = 0; i < mirror.unsettled.size(); ++i) {
    UnsettledKey& key = mirror.unsettled[i];
    const bool is_asked = next != asked.end() && *next == i;
    const Found& there = is_asked ? found[static_cast<std::size_t>(next++ - asked.begin())] : Found();
    const Settled settled = is_asked ? settle(key, there) : Settled::kOpen;
    if (settled == Settled::kOpen) {
      left.push_back(std::move(key));
    } else if (settled == Settled::kObject) {
      mirror.objects.push_back({std::move(key.key), there->size, *there->content, there->tag, {}});
    }
  }
  mirror.unsettled = std::move(left);
  std::sort(mirror.objects.begin(), mirror.objects.end(),
            [](const MirrorObject& a, const MirrorObject& b) { return a.key < b.key; });
  return {};
}

// For how long after something was heard others wait.
std::int64_t held_s(const StorePlace::Seen& seen) { return seen.lease.has_left ? kLastArrival_s : kLease_s; }

Error busy(const StorePlace& place, const StorePlace::Seen& seen, std::int64_t left_s) {
  if (!seen.lease.has_left)
    return step_error(cat("Another trainmake sends to ", quoted(place.text())),
                      "Leave out `--no-wait` to wait for it")
        .because(Blame::kBusy);
  return step_error(cat("Another trainmake was stopped while it sent to ", quoted(place.text()),
                        ", and what it sent last may still arrive"),
                    cat("Run it again in ", human_duration(left_s * 1000), ", or leave out `--no-wait`"))
      .because(Blame::kBusy);
}

std::string waiting(const StorePlace& place, const StorePlace::Seen& seen, std::int64_t left_s) {
  const std::string left = human_duration(left_s * 1000);
  if (seen.lease.has_left)
    return cat("Another trainmake was stopped while it sent to ", quoted(place.text()), ": waiting ", left,
               " for what it sent last");
  return cat("Waiting for another trainmake, which sends to ", quoted(place.text()), "; for ", left,
             " at most after it was last heard of");
}

// What our last transfer sent may still be put where other bytes are to lie by now, or nothing, or removed
// where something is. Without a listing: where anything is told of what lies there.
bool may_do_harm(const Mirror& mirror, const Listing* listing, const Ledger& ledger) {
  const bool may_come_or_go =
      ledger.wrote(mirror.writer) &&
      std::any_of(mirror.unsettled.begin(), mirror.unsettled.end(), [&](const UnsettledKey& key) {
        if (listing == nullptr) return key.what != Unsettled::kDoubted;
        const ListedFile* file = file_of(*listing, key.key);
        if (key.what == Unsettled::kSending) return file == nullptr || file->content != key.content;
        return key.what == Unsettled::kRemoving && file != nullptr;
      });
  const std::set<std::string> again = ledger.asked_again();
  if (listing == nullptr) return may_come_or_go || !again.empty();
  return may_come_or_go || std::any_of(again.begin(), again.end(), [&](const std::string& key) {
           const ListedFile* file = file_of(*listing, key);
           const MirrorObject* object = find_object(mirror, key);
           const UnsettledKey* sent = object == nullptr ? find_unsettled(mirror, key) : nullptr;
           if (file == nullptr) return object != nullptr || sent != nullptr;
           return object != nullptr ? object->content != file->content
                                    : sent == nullptr || sent->content != file->content;
         });
}

// How much of that time is over already. The clocks of a store's machines may differ by some seconds, so
// but for what is long past, one telling's time is waited for by our own.
std::int64_t waited_s(const StorePlace::Seen& seen) {
  constexpr std::int64_t kOwnWatch_s = 25, kLongPast_s = 600;
  const std::int64_t heard_s = std::max(seen.heard_s().value_or(kLongPast_s), std::int64_t{0});
  const bool is_sure = heard_s >= kLongPast_s || seen.lease.has_left;
  return is_sure ? heard_s : std::min(heard_s, kLease_s - kOwnWatch_s);
}

// By our clock; what was heard last is told by two tags.
struct LastHeard {
  std::int64_t at_ns = 0;
  std::string manifest_tag = {}, lease_tag = {};

  LastHeard later(const StorePlace::Seen& seen, std::int64_t now_ns) const {
    if (seen.tag == manifest_tag && seen.lease.tag == lease_tag) return *this;
    return {now_ns - waited_s(seen) * 1'000'000'000, seen.tag, seen.lease.tag};
  }
};

}  // namespace

bool is_held(const StorePlace::Seen& seen) {
  return seen.may_be_at_work() && seen.heard_s().value_or(kLease_s) < held_s(seen);
}

Result<void> ask_for_unsettled(const StorePlace& place, Mirror& mirror, AskFor which) {
  const bool all = which == AskFor::kAll || mirror.unsettled.size() <= kFewKeys;
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < mirror.unsettled.size(); ++i) {
    const UnsettledKey& key = mirror.unsettled[i];
    const bool is_sending = key.what == Unsettled::kSending;
    if (all || key.what == Unsettled::kRemoving || (is_sending && key.size >= kWorthCopying))
      asked.push_back(i);
  }
  return look_at(place, mirror, asked, Content::kAsTold, [](const UnsettledKey& key, const Found& found) {
    const bool is_told = found && found->content && found->size == key.size;
    if (is_told && found->content == key.content) return Settled::kObject;
    return key.what == Unsettled::kRemoving ? Settled::kNothing : Settled::kOpen;
  });
}

Result<void> ask_for_leftovers(const StorePlace& place, Mirror& mirror,
                               const std::vector<std::string>& keys) {
  std::vector<std::size_t> asked;
  for (const std::string& key : keys) {
    if (const UnsettledKey* found = find_unsettled(mirror, key))
      asked.push_back(static_cast<std::size_t>(found - mirror.unsettled.data()));
  }
  std::vector<std::string> absent;
  const Content content = place.prune ? Content::kRead : Content::kAsTold;  // of what may be removed
  TRY(look_at(place, mirror, asked, content, [&](const UnsettledKey& key, const Found& found) {
    if (!found) absent.push_back(place.key(key.key));
    const bool is_known = found && found->content && is_ours(key, *found->content);
    return is_known ? Settled::kObject : Settled::kNothing;
  }));
  // A folder that was made for it goes, too.
  return place.is_local() ? place.store->remove(absent, {}) : Result<void>();
}

bool may_still_arrive(Host& host, const StorePlace& place, const Mirror& mirror, const Listing* listing,
                      const Ledger& ledger) {
  if (place.is_local() || left_of_last_arrivals(host, ledger).count() == 0) return false;
  return ledger.was_telling() || may_do_harm(mirror, listing, ledger);
}

Result<bool> wait_for_last_arrivals(Host& host, const StorePlace& place, const Target& target,
                                    const Mirror& mirror, const Listing* listing, Ledger& ledger,
                                    const Doing& doing) {
  if (place.is_local()) return false;
  const std::chrono::milliseconds left = left_of_last_arrivals(host, ledger);
  if (left.count() > 0 && !may_still_arrive(host, place, mirror, listing, ledger)) return false;
  if (left.count() > 0) {
    TRY(note_its_end(host, ledger));
    if (!doing.wait)
      return fail(
          step_error(cat("What was last sent to ", quoted(place.text()),
                         ", before that was stopped, may still arrive there"),
                     cat("Run it again in ", human_duration(left.count()), ", or leave out `--no-wait`"))
              .because(Blame::kBusy));
    doing.events(
        Message{target.label, cat("Waiting ", human_duration(left.count()), " for what was last sent to ",
                                  quoted(place.text()), ", before that was stopped")});
    if (host.clock.wait(left, doing.stop)) return fail(interrupted_error());
  }
  ledger.is_over();
  return left.count() > 0;
}

// Whoever waits looks whether the manifest object is another, reads the small object of the lease, and asks
// for no more than that: what is being sent may be a million objects.
Result<std::string> catch_up(Host& host, const StorePlace& place, const Target& target,
                             const Listing* listing, Ledger& ledger, const Doing& doing) {
  constexpr std::chrono::seconds kPause{2};
  LastHeard heard;
  const auto keep = [&](StorePlace::Seen seen) {
    return ledger.save(
        ledger.recall(std::move(seen.mirror), owner_text(target.label), owner_text(target.project)),
        std::move(seen.tag));
  };
  for (bool told = false;;) {
    TRY_ASSIGN(StorePlace::Seen seen, place.read(target));
    heard = heard.later(seen, host.clock.steady_ns());
    std::string writer = seen.mirror.writer;
    const bool is_ours = place.is_local() || ledger.wrote(writer);
    // Before anything is asked, or the answer would not last.
    TRY_ASSIGN(const bool has_waited,
               wait_for_last_arrivals(host, place, target, seen.mirror, listing, ledger, doing));
    if (has_waited) continue;
    const bool may_ask = seen.mirror.unsettled.size() <= kFewKeys && !seen.mirror.repeats;
    const auto left_s = [&] { return held_s(seen) - (host.clock.steady_ns() - heard.at_ns) / 1'000'000'000; };
    const auto is_over = [&] { return is_ours || left_s() <= 0; };
    const std::vector<std::string> removing = being_removed(seen.mirror);
    if (place.is_local() ? !removing.empty() : may_ask || is_over())
      TRY(ask_for_unsettled(place, seen.mirror, AskFor::kWorthIt));
    const bool is_settled =
        !seen.mirror.repeats && !may_change(seen.mirror, listing) && !is_any_there(removing, seen.mirror);
    if (is_ours || is_settled) {
      TRY(keep(std::move(seen)));
      return std::string();
    }
    if (is_over()) {
      TRY_ASSIGN(const bool is_taken, take_lease(place, writer, seen.lease));
      if (!is_taken) continue;
      TRY(keep(std::move(seen)));
      return writer;
    }
    if (!doing.wait) return fail(busy(place, seen, left_s()));
    if (!told) doing.events(Message{target.label, waiting(place, seen, left_s())});
    told = true;
    for (bool is_same = true; is_same && !is_over() && !may_ask;) {
      if (host.clock.wait(kPause, doing.stop)) return fail(interrupted_error());
      TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(place.manifest_key()));
      is_same = there && there->tag == seen.tag;
      TRY_ASSIGN(seen.lease, read_lease(place, writer));
      heard = heard.later(seen, host.clock.steady_ns());
    }
    if (may_ask && host.clock.wait(kPause, doing.stop)) return fail(interrupted_error());
  }
}

}  // namespace trainmake
