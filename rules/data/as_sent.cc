#include "rules/data/as_sent.h"

#include <vector>

namespace trainmake {
namespace {

// What has another tag may be the same bytes, put there once more.
Result<bool> is_the_same(const StorePlace& place, const MirrorObject& object) {
  TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(place.key(object.key)));
  if (!there || there->size != object.size) return false;
  if (there->tag == object.tag) return true;
  return !place.store->traits().tags_tell_content && there->content && *there->content == object.content;
}

}  // namespace

Result<std::string> first_not_as_sent(const StorePlace& place, const Mirror& mirror, bool all_are_needed,
                                      const std::function<void(std::string_view key)>& on_seen) {
  const std::vector<MirrorObject>& objects = mirror.objects;
  if (objects.empty() || objects.size() > kMostCompared) return std::string();
  enum class Seen : std::uint8_t { kGone, kFine, kDoubtful, kOther };
  std::vector<Seen> seen(objects.size(), Seen::kGone);
  TRY(place.list([&](std::string_view key, const StoredObject& there) {
    if (on_seen) on_seen(key);
    const MirrorObject* object = find_object(mirror, key);
    if (object == nullptr) return;  // somebody else's
    const bool is_other_tag = !object->tag.empty() && !there.tag.empty() && object->tag != there.tag;
    seen[static_cast<std::size_t>(object - objects.data())] = there.size != object->size ? Seen::kOther
                                                              : is_other_tag             ? Seen::kDoubtful
                                                                                         : Seen::kFine;
  }));
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (is_folder(objects[i].key)) continue;  // not every list has them
    bool differs = seen[i] == Seen::kOther || (seen[i] == Seen::kGone && all_are_needed);
    if (seen[i] == Seen::kDoubtful) {
      TRY_ASSIGN(const bool same, is_the_same(place, objects[i]));
      differs = !same;
    }
    if (differs) return objects[i].key;
  }
  return std::string();
}

}  // namespace trainmake
