#include "rules/data/replaced.h"

#include <mutex>
#include <unordered_map>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"
#include "rules/data/catch_up.h"

namespace trainmake {
namespace {

constexpr std::size_t kListedAtOnce = 1000, kAskedAtOnce = 16;

enum class Guess : std::uint8_t { kOurs, kOthers, kLook };

// What is not there any more is nobody's. A list does not tell contents.
Guess guess(const MirrorObject& ours, const StoredObject* there) {
  if (there == nullptr) return Guess::kOurs;
  if (there->size != ours.size) return Guess::kOthers;
  return !ours.tag.empty() && there->tag == ours.tag ? Guess::kOurs : Guess::kLook;
}

bool is_ours(const StorePlace& place, const MirrorObject& ours, const std::optional<StoredObject>& there) {
  const Guess guessed = guess(ours, there ? &*there : nullptr);
  if (guessed != Guess::kLook) return guessed == Guess::kOurs;
  if (there->content || place.store->traits().tells_content(there->size))
    return there->content == ours.content;
  // Where nothing tells what lies there, a tag has to do, or what is as long.
  return ours.tag.empty() || there->tag.empty();
}

// What a list tells of these alone.
using Listed = std::unordered_map<std::string_view, StoredObject>;
Result<Listed> listed(const StorePlace& place, const std::vector<const MirrorObject*>& asked) {
  Listed found;
  for (const MirrorObject* object : asked) found.emplace(object->key, StoredObject{});
  TRY(place.list([&](std::string_view key, const StoredObject& object) {
    const auto wanted = found.find(key);
    if (wanted != found.end()) wanted->second = object;
  }));
  std::erase_if(found, [](const auto& each) { return each.second.key.empty(); });
  return found;
}

}  // namespace

Result<std::set<std::string>> replaced_by_others(const StorePlace& place,
                                                 const std::vector<MirrorObject>& ours, std::size_t in_place,
                                                 const std::stop_token& stop) {
  std::set<std::string> replaced;
  std::vector<const MirrorObject*> asked;
  for (const MirrorObject& object : ours) {
    if (!is_folder(object.key)) asked.push_back(&object);  // which has nothing that could be lost
  }
  // A look at a file of a folder reads it.
  const bool is_list_cheaper = asked.size() > kFewKeys && in_place / kListedAtOnce < asked.size();
  if (place.is_local() ? !asked.empty() : is_list_cheaper) {
    TRY_ASSIGN(const Listed there, listed(place, asked));
    std::vector<const MirrorObject*> doubtful;
    for (const MirrorObject* object : asked) {
      const auto found = there.find(object->key);
      const Guess guessed = guess(*object, found == there.end() ? nullptr : &found->second);
      if (guessed == Guess::kOthers) replaced.insert(object->key);
      if (guessed == Guess::kLook) doubtful.push_back(object);
    }
    asked = std::move(doubtful);
  }
  std::mutex mutex;
  TRY(at_once(asked.size(), kAskedAtOnce, [&](std::size_t i) -> Result<void> {
    if (stop.stop_requested()) return fail(interrupted_error());
    TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(place.key(asked[i]->key)));
    const std::lock_guard lock(mutex);
    if (!is_ours(place, *asked[i], there)) replaced.insert(asked[i]->key);
    return {};
  }));
  return replaced;
}

}  // namespace trainmake
