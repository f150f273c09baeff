#include "rules/data/verify.h"

#include <algorithm>
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

// What we know beyond the manifest object, which names no tags of small ones.
void add_tags(const Mirror& known, Mirror& told) {
  for (MirrorObject& object : told.objects) {
    const MirrorObject* ours = find_object(known, object.key);
    if (object.tag.empty() && ours != nullptr && ours->content == object.content) object.tag = ours->tag;
  }
}

Result<void> ask_in(const StorePlace& place, Ledger& ledger) {
  if (ledger.mirror().unsettled.empty()) return {};
  Mirror mirror = ledger.mirror();
  TRY(ask_for_unsettled(place, mirror, AskFor::kAll));
  return ledger.save(std::move(mirror), ledger.tag());
}

// As the manifest object and we see it, whatever was done since by us.
Result<void> read_again(const StorePlace& place, const Target& target, Ledger& ledger) {
  TRY_ASSIGN(StorePlace::Seen seen, place.read(target));
  if (ledger.is_known() && ledger.tag() == seen.tag) return ask_in(place, ledger);
  // Without it, or one that says nothing, what should be there is what we know of.
  if (seen.mirror.target.empty() && ledger.is_known())
    return ledger.save(ledger.mirror(), std::move(seen.tag));
  if (seen.mirror.target.empty())
    return fail(step_error(cat("Nothing is known of ", quoted(place.text()),
                               ": it has no manifest object, and nothing "
                               "was sent from here"),
                           cat("`trainmake ", shell_word(target.label.text()), "` sends"))
                    .at(target.where));
  add_tags(ledger.mirror(), seen.mirror);
  TRY(ask_for_unsettled(place, seen.mirror, AskFor::kAll));
  return ledger.save(std::move(seen.mirror), std::move(seen.tag));
}

// Asks for each of `asked`, which are positions among the objects of `mirror`.
Result<void> look_at(const StorePlace& place, const Mirror& mirror, const std::vector<std::size_t>& asked,
                     Verified& verified, const std::stop_token& stop) {
  std::mutex mutex;
  return at_once(asked.size(), kLookedAtAtOnce, [&](std::size_t i) -> Result<void> {
    if (stop.stop_requested()) return fail(interrupted_error());
    const MirrorObject& object = mirror.objects[asked[i]];
    TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(place.key(object.key)));
    // Where a store tells no content, a tag has to do, or what is there as long.
    const bool is_told = there && (there->content || place.store->tells_content());
    const bool is_like = is_told ? there->content == object.content
                                 : there && (object.tag.empty() || object.tag == there->tag);
    if (is_like && there->size == object.size) return {};
    const std::lock_guard lock(mutex);
    verified.wrong.push_back({object.key, there ? "has other bytes" : "is not there"});
    return {};
  });
}

// What the list cannot tell is left for a look.
Result<std::vector<std::size_t>> compare_list(const StorePlace& place, const Mirror& mirror,
                                              Verified& verified) {
  enum class Seen : std::uint8_t { kMissing, kFine, kDoubtful };
  std::vector<Seen> seen(mirror.objects.size(), Seen::kMissing);
  std::vector<std::uint64_t> sizes(mirror.objects.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (is_folder(mirror.objects[i].key)) seen[i] = Seen::kDoubtful;  // not every list has them
  }
  const std::string folder = cat(place.prefix, "/");
  TRY(place.store->list(folder, [&](const StoredObject& there) {
    const MirrorObject* object = find_object(mirror, std::string_view(there.key).substr(folder.size()));
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
      verified.wrong.push_back(
          {object.key, cat("has ", human_bytes(sizes[i]), " in place of ", human_bytes(object.size))});
    else if (seen[i] == Seen::kDoubtful)
      doubtful.push_back(i);
  }
  return doubtful;
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

Result<Verified> verify(const StorePlace& place, const Target& target, Ledger& ledger, double share,
                        const std::stop_token& stop) {
  TRY(read_again(place, target, ledger));
  const Mirror& mirror = ledger.mirror();
  Verified verified;
  verified.objects = mirror.objects.size();
  for (const MirrorObject& object : mirror.objects) verified.bytes += object.size;
  std::vector<std::size_t> asked = some_of(mirror.objects.size(), share);
  verified.looked_at = asked.size();
  if (share >= 1) {
    TRY_ASSIGN(asked, compare_list(place, mirror, verified));
  }
  TRY(look_at(place, mirror, asked, verified, stop));
  for (const UnsettledKey& key : mirror.unsettled) {
    if (key.content) verified.wrong.push_back({key.key, "is not what was being sent there"});
  }
  std::sort(verified.wrong.begin(), verified.wrong.end(),
            [](const WrongObject& a, const WrongObject& b) { return a.key < b.key; });
  return verified;
}

Result<void> plan_to_heal(const Verified& verified, Ledger& ledger) {
  std::set<std::string> keys;
  for (const WrongObject& wrong : verified.wrong) keys.insert(wrong.key);
  ledger.doubt(keys);
  return ledger.save(ledger.mirror(), ledger.tag());
}

}  // namespace trainmake
