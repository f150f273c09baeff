#include "rules/data/catch_up.h"

#include <algorithm>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kAskedAtOnce = 16;

bool wants(const Listing& listing, const std::string& key) {
  const auto found =
      std::lower_bound(listing.begin(), listing.end(), key,
                       [](const ListedFile& file, const std::string& asked) { return file.key < asked; });
  return found != listing.end() && found->key == key;
}

// What others may still do to what we would read or send.
bool may_change(const Mirror& mirror, const Listing& listing) {
  return std::any_of(mirror.unsettled.begin(), mirror.unsettled.end(), [&](const UnsettledKey& key) {
    return key.content.has_value() || wants(listing, key.key);
  });
}

}  // namespace

Result<void> ask_for_unsettled(const StorePlace& place, Mirror& mirror, AskFor which) {
  const bool all = which == AskFor::kAll || mirror.unsettled.size() <= kFewKeys;
  std::vector<std::optional<StoredObject>> found(mirror.unsettled.size());
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < mirror.unsettled.size(); ++i) {
    const UnsettledKey& key = mirror.unsettled[i];
    if (all || key.removing || (key.content && key.size >= kWorthCopying)) asked.push_back(i);
  }
  TRY(at_once(asked.size(), kAskedAtOnce, [&](std::size_t i) -> Result<void> {
    TRY_ASSIGN(found[asked[i]], place.store->look(place.key(mirror.unsettled[asked[i]].key)));
    return {};
  }));
  std::vector<UnsettledKey> left;
  for (std::size_t i = 0; i < mirror.unsettled.size(); ++i) {
    UnsettledKey& key = mirror.unsettled[i];
    const bool is_asked = std::binary_search(asked.begin(), asked.end(), i);
    const std::optional<Digest128> known = key.content ? key.content : key.removing;
    const bool is_there = known && found[i] && found[i]->content == known && found[i]->size == key.size;
    const bool is_none_of_ours = is_asked && !key.content && (!found[i] || (key.removing && !is_there));
    if (is_there)
      mirror.objects.push_back({std::move(key.key), key.size, *known, found[i]->tag, {}});
    else if (!is_none_of_ours)
      left.push_back(std::move(key));
  }
  mirror.unsettled = std::move(left);
  std::sort(mirror.objects.begin(), mirror.objects.end(),
            [](const MirrorObject& a, const MirrorObject& b) { return a.key < b.key; });
  return {};
}

// Whoever waits looks whether the manifest object is another, and asks for no more than that: what is being
// sent may be a million objects.
Result<void> catch_up(Host& host, const StorePlace& place, const Target& target, const Listing& listing,
                      Ledger& ledger, const Doing& doing) {
  constexpr std::chrono::seconds kPause{2};
  std::string tag;
  std::int64_t told_ns = 0;  // when it was put, by our clock
  for (bool told = false;;) {
    TRY_ASSIGN(StorePlace::Seen seen, place.read(target));
    if (!told || seen.tag != tag) {
      tag = seen.tag;
      told_ns = host.clock.steady_ns() - seen.age_s.value_or(kLease_s) * 1'000'000'000;
    }
    const bool is_ours = place.is_local() || ledger.wrote(seen.mirror.writer);
    const bool few = seen.mirror.unsettled.size() <= kFewKeys;
    const auto is_over = [&] {
      return is_ours || host.clock.steady_ns() - told_ns >= kLease_s * 1'000'000'000;
    };
    if (place.is_local() ? has_removals(seen.mirror) : few || is_over())
      TRY(ask_for_unsettled(place, seen.mirror, AskFor::kWorthIt));
    if (is_over() || !may_change(seen.mirror, listing))
      return ledger.save(std::move(seen.mirror), std::move(seen.tag));
    if (!doing.wait)
      return fail(step_error(cat("Another trainmake sends to ", quoted(place.text())),
                             "Leave out `--no-wait` to wait for it")
                      .because(Blame::kBusy));
    if (!told)
      doing.events(
          Message{target.label, cat("Waiting for another trainmake, which sends to ", quoted(place.text()))});
    told = true;
    for (bool is_same = true; is_same && !is_over() && !few;) {
      if (host.clock.wait(kPause, doing.stop)) return fail(interrupted_error());
      TRY_ASSIGN(const std::optional<StoredObject> now, place.store->look(place.manifest_key()));
      is_same = now && now->tag == seen.tag;
    }
    if (few && host.clock.wait(kPause, doing.stop)) return fail(interrupted_error());
  }
}

}  // namespace trainmake
