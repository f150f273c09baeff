#include "rules/data/catch_up.h"

#include <algorithm>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kFewKeys = 8;  // of which each is worth a question
constexpr std::size_t kAskedAtOnce = 16;

bool wants(const Listing& listing, const std::string& key) {
  const auto found =
      std::lower_bound(listing.begin(), listing.end(), key,
                       [](const ListedFile& file, const std::string& asked) { return file.key < asked; });
  return found != listing.end() && found->key == key;
}

// Asks for keys that were being sent or removed when the manifest object was written: most often that is done
// by now. Small ones are sent again sooner than asked for, when there are many.
Result<void> ask_for_unsettled(const StorePlace& place, Mirror& mirror) {
  const bool few = mirror.unsettled.size() <= kFewKeys;
  std::vector<std::optional<StoredObject>> found(mirror.unsettled.size());
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < mirror.unsettled.size(); ++i) {
    if (few || (mirror.unsettled[i].content && mirror.unsettled[i].size >= kWorthCopying)) asked.push_back(i);
  }
  TRY(at_once(asked.size(), kAskedAtOnce, [&](std::size_t i) -> Result<void> {
    TRY_ASSIGN(found[asked[i]], place.store->look(place.key(mirror.unsettled[asked[i]].key)));
    return {};
  }));
  std::vector<UnsettledKey> left;
  for (std::size_t i = 0; i < mirror.unsettled.size(); ++i) {
    UnsettledKey& key = mirror.unsettled[i];
    const bool is_asked = std::binary_search(asked.begin(), asked.end(), i);
    const bool is_put =
        key.content && found[i] && found[i]->content == key.content && found[i]->size == key.size;
    if (is_put) mirror.objects.push_back({std::move(key.key), key.size, *key.content, found[i]->tag, {}});
    const bool is_removed = is_asked && !key.content && !found[i];
    if (!is_put && !is_removed) left.push_back(std::move(key));
  }
  mirror.unsettled = std::move(left);
  std::sort(mirror.objects.begin(), mirror.objects.end(),
            [](const MirrorObject& a, const MirrorObject& b) { return a.key < b.key; });
  return {};
}

}  // namespace

Result<void> catch_up(Host& host, const StorePlace& place, const Target& target, const Listing& listing,
                      Ledger& ledger, const Doing& doing) {
  constexpr std::chrono::seconds kPause{2};
  for (bool told = false;;) {
    TRY_ASSIGN(StorePlace::Seen seen, place.read(target));
    const bool is_ours = place.is_local() || ledger.wrote(seen.mirror.writer);
    if (!place.is_local()) TRY(ask_for_unsettled(place, seen.mirror));
    const bool may_change = std::any_of(
        seen.mirror.unsettled.begin(), seen.mirror.unsettled.end(),
        [&](const UnsettledKey& key) { return key.content.has_value() || wants(listing, key.key); });
    if (is_ours || !may_change || seen.age_s.value_or(kLease_s) >= kLease_s)
      return ledger.save(std::move(seen.mirror), std::move(seen.tag));
    if (!doing.wait)
      return fail(step_error(cat("Another trainmake sends to ", quoted(place.text())),
                             "Leave out `--no-wait` to wait for it")
                      .because(Blame::kBusy));
    if (!told)
      doing.events(
          Message{target.label, cat("Waiting for another trainmake, which sends to ", quoted(place.text()))});
    told = true;
    if (host.clock.wait(kPause, doing.stop)) return fail(interrupted_error());
  }
}

}  // namespace trainmake
