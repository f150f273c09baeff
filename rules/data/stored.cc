#include "rules/data/stored.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/data/as_sent.h"
#include "rules/data/external.h"
#include "rules/data/place.h"

namespace trainmake {
namespace {

constexpr std::string_view kScheme = "store:";

// Of files that lie below one folder of the job's data, whose name is not known any more.
bool is_list_of(const Listing& files, const ExternalList& list) {
  if (files.size() != list.size()) return false;
  if (list.empty()) return true;
  const std::string &first = files.front().key, &its = list.front().key;
  if (!first.ends_with(its)) return false;
  const Listing now = listing_of(list, first.substr(0, first.size() - its.size()));
  return std::equal(now.begin(), now.end(), files.begin(), [](const ListedFile& a, const ListedFile& b) {
    return a.key == b.key && a.content == b.content;
  });
}

// As it was sent from here, with the tags that the manifest object leaves out; else as that tells.
Result<std::optional<Mirror>> sent_mirror(DataPlaces& places, StorePlace place, const std::string& tag) {
  for (const bool is_of_one_content : {false, true}) {
    place.is_of_one_content = is_of_one_content;
    Ledger kept = places.ledger_as_kept(place);
    TRY(kept.load());
    if (kept.is_known() && kept.tag() == tag) return std::optional(kept.mirror());
  }
  TRY_ASSIGN(const std::optional<ObjectBytes> bytes, place.store->get(place.manifest_key()));
  return bytes ? mirror_from_json(bytes->bytes) : std::nullopt;
}

Result<bool> is_place_as_marked(DataPlaces& places, const StorePlace& place, std::string_view mark,
                                const Listing& files) {
  const std::size_t line = std::min(mark.find('\n'), mark.size());
  const std::string_view writer = mark.substr(0, line), tag = mark.substr(std::min(line + 1, mark.size()));
  TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(place.manifest_key()));
  if (!there) return false;
  TRY_ASSIGN(const std::optional<Mirror> mirror, sent_mirror(places, place, there->tag));
  if (!mirror) return false;
  // Of one transfer there may be several tellings; in a place of one content all of them sent that.
  if (there->tag != tag && mirror->writer != writer && mirror->root != path_name(place.prefix)) return false;
  TRY_ASSIGN(const std::string other,
             first_not_as_sent(place, *mirror, mirror->objects.size() == files.size()));
  return other.empty();
}

}  // namespace

std::string mark_of(const Mirror& mirror, const std::string& tag) { return cat(mirror.writer, "\n", tag); }

Result<bool> is_stored_as_marked(const StoreServices& services, DataPlaces& places,
                                 const std::string& address, std::string_view mark, const Listing& files) {
  const std::string where =
      address.starts_with(kScheme) ? address.substr(kScheme.size()) : std::string(address);
  if (mark == kListedMark) {
    TRY_ASSIGN(const std::unique_ptr<Store> store, places.store_at(service_at(services.space, where)));
    TRY_ASSIGN(const ExternalList now, listed_in(*store));
    return is_list_of(files, now);
  }
  const std::size_t slash = std::min(where.find('/'), where.size());
  StorePlace place;
  place.name = where.substr(0, slash);
  place.prefix = where.substr(std::min(slash + 1, where.size()));
  const Service* service = services.space.find("store", place.name);
  if (service == nullptr) return false;  // nobody can tell any more
  place.service = service_of_places(*service);
  TRY_ASSIGN(place.store, places.store_named(place.name));
  return is_place_as_marked(places, place, mark, files);
}

}  // namespace trainmake
