#include "rules/data/elsewhere.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "engine/base/text.h"

namespace trainmake {

LikeObjects find_elsewhere(DataPlaces& places, const Subject& subject, const StorePlace& place,
                           const MirrorChange& changed, std::uint64_t least) {
  LikeObjects found;
  std::unordered_set<Digest128> wanted;
  for (const ListedFile* file : changed.send) {
    if (file->size >= least) wanted.insert(file->content);
  }
  if (wanted.empty() || place.is_local()) return found;
  const auto add = [&](Ledger ledger, const StorePlace& there) {
    if (!ledger.load()) return;
    const StorePlace where = there.of_content(ledger.mirror().root);
    for (const MirrorObject& object : ledger.mirror().objects) {
      if (!object.tag.empty() && !object.is_found && wanted.contains(object.content))
        found.emplace(object.content, LikeObject{where.key(object.key), object.tag, object.size,
                                                 object.content, object.chunks});
    }
  };
  std::set<std::string> known = {place.identity()};
  if (place.snapshot) add(places.latest_snapshot(place), place);
  for (const Target& other : subject.graph.targets) {
    if (other.label.kind != "data" || other.label == subject.target().label) continue;
    const auto there = places.place_of(other);
    if (!there || !*there || (*there)->store != place.store) continue;
    known.insert((*there)->identity());
    add((*there)->snapshot ? places.latest_snapshot(**there) : places.ledger_as_kept(**there), **there);
  }
  // Of targets that nobody asked for now, or that are no more.
  if (found.size() == wanted.size()) return found;
  const std::string of_this_store = cat(place.service, "\n");
  for (const std::string& identity : places.latest_kept(kOthersAsked)) {
    if (!identity.starts_with(of_this_store) || !known.insert(identity).second) continue;
    StorePlace there = place;
    there.prefix = identity.substr(of_this_store.size());
    there.snapshot = false;
    there.is_of_one_content = there.prefix.ends_with(kOfOneContent);
    if (there.is_of_one_content) there.prefix.resize(there.prefix.size() - kOfOneContent.size());
    if (there.prefix.find('\n') == std::string::npos) add(places.ledger_as_kept(there), there);
  }
  return found;
}

void Borrowings::plan(const Label& label, LikeObjects objects) {
  const std::lock_guard lock(mutex_);
  by_label_[label.text()].objects = std::make_shared<const LikeObjects>(std::move(objects));
}

std::shared_ptr<const LikeObjects> Borrowings::begin(const Label& label) {
  const std::lock_guard lock(mutex_);
  Borrowing& borrowing = by_label_[label.text()];
  borrowing.is_going_on = true;
  return borrowing.objects;
}

void Borrowings::end(const Label& label) {
  {
    const std::lock_guard lock(mutex_);
    by_label_[label.text()].is_going_on = false;
  }
  ended_.notify_all();
}

Result<void> Borrowings::wait_for(const Label& owner, const std::set<std::string>& keys,
                                  const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool is_free = ended_.wait(lock, stop, [&] {
    return std::none_of(by_label_.begin(), by_label_.end(), [&](const auto& entry) {
      const auto& [label, borrowing] = entry;
      return borrowing.is_going_on && label != owner.text() &&
             std::any_of(borrowing.objects->begin(), borrowing.objects->end(),
                         [&](const auto& object) { return keys.contains(object.second.key); });
    });
  });
  return is_free ? Result<void>() : fail(interrupted_error());
}

}  // namespace trainmake
