#include "rules/data/verify.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numeric>
#include <random>
#include <set>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"
#include "rules/data/catch_up.h"

namespace trainmake {
namespace {

constexpr std::size_t kLookedAtAtOnce = 32;

// What should be there.
struct Told {
  Mirror mirror;
  std::string tag;
  bool may_keep = false;            // the manifest object says so, and nobody else is at work on it
  bool is_news = false;             // it is not what is kept already
  bool is_held = false;             // somebody else is at work on it
  std::string wrong_manifest = {};  // how; else ""
};

// Without a manifest object, or one that cannot be read, it is what was known here.
Result<Told> told_here(const StorePlace& place, const Target& target, const StorePlace::Seen& seen,
                       const Ledger& ledger) {
  if (ledger.is_known() && ledger.mirror().target == owner_text(target.label)) {
    Told told{.mirror = ledger.mirror(),
              .tag = seen.tag,
              .wrong_manifest = seen.is_damaged ? "is damaged" : "is not there"};
    TRY(ask_for_unsettled(place, told.mirror, AskFor::kAll));
    return told;
  }
  if (seen.is_damaged) return fail(place.damaged(target));
  return fail(step_error(cat("Nothing is known of ", quoted(place.text()),
                             ": it has no manifest object, and nothing "
                             "was sent from here"),
                         cat("`trainmake ", shell_word(target.label.text()), "` sends"))
                  .at(target.where));
}

// In a folder, whoever sends holds a lock.
Result<bool> is_held_by_others(Host& host, const StorePlace& place, const Target& target,
                               const StorePlace::Seen& seen, const Ledger& ledger, const Doing& doing) {
  if (!place.is_local()) return is_held(seen) && !ledger.wrote(seen.mirror.writer);
  if (seen.mirror.unsettled.empty()) return false;
  Doing now = doing;
  now.wait = false;
  const Result<std::optional<FileLock>> held = place.hold(host, target, now);
  if (!held && held.error().blame != Blame::kBusy) return fail(Error(held.error()));
  return !held;
}

// As the manifest object and we see it, whatever was done since by us.
Result<Told> what_is_told(Host& host, const StorePlace& place, const Target& target, Ledger& ledger,
                          const VerifyHow& how, const Doing& doing) {
  TRY_ASSIGN(StorePlace::Seen seen, place.read_or_damaged(target));
  const auto is_as_kept = [&] { return ledger.is_known() && ledger.tag() == seen.tag; };
  if (how.heal) {
    const Mirror& there = is_as_kept() ? ledger.mirror() : seen.mirror;
    TRY_ASSIGN(const bool has_waited,
               wait_for_last_arrivals(host, place, target, there, nullptr, ledger, doing));
    if (has_waited) {
      TRY_ASSIGN(seen, place.read_or_damaged(target));
    }
  }
  if (seen.is_damaged || seen.mirror.target.empty()) return told_here(place, target, seen, ledger);
  Told told;
  bool is_known = is_as_kept();
  if (!is_known) {
    TRY_ASSIGN(told.is_held, is_held_by_others(host, place, target, seen, ledger, doing));
  }
  if (told.is_held && how.heal) {
    TRY_ASSIGN(const std::optional<FileLock> held, place.hold(host, target, doing));
    TRY(catch_up(host, place, target, nullptr, ledger, doing));
    told.is_held = false;
    is_known = true;
  }
  if (is_known) {
    told.mirror = ledger.mirror();
    told.tag = ledger.tag();
  } else {
    add_tags(ledger.mirror(), seen.mirror);
    told.mirror = ledger.recall(std::move(seen.mirror), owner_text(target.label), owner_text(target.project));
    told.tag = std::move(seen.tag);
  }
  told.is_news = !is_known || !told.mirror.unsettled.empty();
  // What few keys show by now does not last.
  const bool may_change = may_still_arrive(host, place, told.mirror, nullptr, ledger);
  TRY(ask_for_unsettled(place, told.mirror, AskFor::kAll));
  // What few keys show by now is believed, unless it may be done once more.
  told.is_held = told.is_held && (told.mirror.repeats || !told.mirror.unsettled.empty());
  told.may_keep = !told.is_held && !may_change;
  return told;
}

// Asks for each of `asked`, which are positions among the objects that should be there, and notes the tags of
// what proves right: of those the next list tells. Whether any was news.
Result<bool> look_at(const StorePlace& place, const std::vector<std::size_t>& asked, Verified& verified,
                     const std::stop_token& stop) {
  std::mutex mutex;
  std::atomic<bool> is_news = false;
  TRY(at_once(asked.size(), kLookedAtAtOnce, [&](std::size_t i) -> Result<void> {
    if (stop.stop_requested()) return fail(interrupted_error());
    MirrorObject& object = verified.mirror.objects[asked[i]];
    TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(place.key(object.key)));
    // Where a store tells no content, or of what others put, a tag has to do, or what is there as long.
    const bool tells = place.store->traits().tells_content(object.size) && !object.is_found;
    const bool is_told = there && (there->content || tells);
    const bool is_like = is_told ? there->content == object.content
                                 : there && (object.tag.empty() || object.tag == there->tag);
    if (is_like && there->size == object.size) {
      if (is_told && object.tag != there->tag) {
        object.tag = there->tag;
        is_news = true;
      }
      return {};
    }
    const std::lock_guard lock(mutex);
    verified.wrong.push_back({object.key, there ? "has other bytes" : "is not there"});
    return {};
  }));
  return is_news.load();
}

// To the byte where the two read alike.
std::string size_beside(std::uint64_t size, std::uint64_t other) {
  return human_bytes(size) == human_bytes(other) ? cat(size, " B") : human_bytes(size);
}

// What the list cannot tell is left for a look.
Result<std::vector<std::size_t>> compare_list(const StorePlace& place, Verified& verified) {
  const Mirror& mirror = verified.mirror;
  enum class Seen : std::uint8_t { kMissing, kFine, kDoubtful };
  std::vector<Seen> seen(mirror.objects.size(), Seen::kMissing);
  std::vector<std::uint64_t> sizes(mirror.objects.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (is_folder(mirror.objects[i].key)) seen[i] = Seen::kDoubtful;  // not every list has them
  }
  TRY(place.list([&](std::string_view key, const StoredObject& there) {
    const MirrorObject* object = find_object(mirror, key);
    if (object == nullptr) return;  // somebody else's
    const auto at = static_cast<std::size_t>(object - mirror.objects.data());
    sizes[at] = there.size;
    const bool same_tag = !object->tag.empty() && object->tag == there.tag;
    seen[at] = there.size == object->size && same_tag ? Seen::kFine : Seen::kDoubtful;
  }));
  std::vector<std::size_t> doubtful;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const MirrorObject& object = mirror.objects[i];
    if (seen[i] == Seen::kMissing)
      verified.wrong.push_back({object.key, "is not there"});
    else if (seen[i] == Seen::kDoubtful && sizes[i] != object.size)
      verified.wrong.push_back({object.key, cat("has ", size_beside(sizes[i], object.size), " in place of ",
                                                size_beside(object.size, sizes[i]))});
    else if (seen[i] == Seen::kDoubtful)
      doubtful.push_back(i);
  }
  return doubtful;
}

// Of what a look did not settle.
std::string_view wrong_where(Unsettled what) {
  switch (what) {
    case Unsettled::kSending:
      return "is not what was being sent there";
    case Unsettled::kRemoving:
      return "was to be removed, and lies there still";
    case Unsettled::kDoubted:
      break;
  }
  return "is not there, or another";
}

std::vector<std::size_t> some_of(std::size_t count, double share) {
  std::mt19937_64 dice{std::random_device{}()};
  std::vector<std::size_t> all(count), chosen;
  std::iota(all.begin(), all.end(), std::size_t{0});
  const auto wanted = static_cast<std::size_t>(std::ceil(static_cast<double>(count) * share));
  std::sample(all.begin(), all.end(), std::back_inserter(chosen), wanted, dice);
  return chosen;
}

}  // namespace

Result<Verified> verify(Host& host, const StorePlace& place, const Target& target, Ledger& ledger,
                        const VerifyHow& how, const Doing& doing) {
  TRY_ASSIGN(Told told, what_is_told(host, place, target, ledger, how, doing));
  Verified verified;
  verified.mirror = std::move(told.mirror);
  verified.tag = std::move(told.tag);
  const Mirror& mirror = verified.mirror;
  verified.objects = mirror.objects.size();
  for (const MirrorObject& object : mirror.objects) verified.bytes += object.size;
  std::vector<std::size_t> asked = some_of(mirror.objects.size(), how.share);
  verified.looked_at = asked.size();
  if (how.share >= 1) {
    TRY_ASSIGN(asked, compare_list(place, verified));
  }
  TRY_ASSIGN(const bool has_learned, look_at(place, asked, verified, doing.stop));
  if (told.is_held) verified.sending = std::max<std::uint64_t>(mirror.unsettled.size(), 1);
  for (const UnsettledKey& key : mirror.unsettled) {
    if (told.is_held || key.content == Digest128{}) continue;
    verified.wrong.push_back({key.key, std::string(wrong_where(key.what))});
  }
  std::sort(verified.wrong.begin(), verified.wrong.end(),
            [](const WrongObject& a, const WrongObject& b) { return a.key < b.key; });
  if (told.may_keep && (told.is_news || has_learned)) TRY(ledger.save(mirror, verified.tag));
  if (!told.wrong_manifest.empty()) verified.wrong.push_back({place.manifest_key(), told.wrong_manifest});
  return verified;
}

Result<void> plan_to_heal(Verified verified, Ledger& ledger) {
  std::set<std::string> keys;
  for (const WrongObject& wrong : verified.wrong) keys.insert(wrong.key);
  verified.mirror.root.clear();
  ledger.adopt(std::move(verified.mirror), std::move(verified.tag));
  ledger.doubt(keys);
  return ledger.save(ledger.mirror(), ledger.tag());
}

}  // namespace trainmake
