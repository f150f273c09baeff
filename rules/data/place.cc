#include "rules/data/place.h"

#include <algorithm>

#include "engine/base/file_lock.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// In a place's folder of our own. No prefix has a folder of these names.
constexpr std::string_view kManifest = ".mirror.json";
constexpr std::string_view kLock = ".lock";
constexpr std::string_view kLeases = ".lease";
constexpr std::string_view kArriving = ".arriving";  // a `dir:` store's own, for files that are not whole yet

std::string own_folder_of(const std::string& prefix) { return cat(kOwnFolder, "/", prefix, "/"); }
std::string manifest_key_of(const std::string& prefix) { return cat(own_folder_of(prefix), kManifest); }

bool has_folder_of_ours(const std::string& prefix) {
  const std::vector<std::string> folders = split(prefix, '/');
  return std::any_of(folders.begin(), folders.end(), [](const std::string& folder) {
    return folder == kManifest || folder == kLock || folder == kLeases || folder == kArriving ||
           folder == kOwnFolder;
  });
}

// A key at or below `folder`; of anything sorted by key. A file where another has a folder is as bad as a
// file in it.
template <typename Keyed>
std::string_view key_of(const Keyed& entry) {
  return entry.key;
}
std::string_view key_of(const std::string& key) { return key; }

template <typename Keyed>
bool has_key_in(const std::vector<Keyed>& sorted, const std::string& folder) {
  const auto from = [&](const std::string& first) {
    const auto found =
        std::lower_bound(sorted.begin(), sorted.end(), first,
                         [](const Keyed& entry, const std::string& asked) { return key_of(entry) < asked; });
    return found == sorted.end() ? std::string_view() : key_of(*found);
  };
  return from(folder) == folder || from(cat(folder, "/")).starts_with(cat(folder, "/"));
}

Error meeting(const std::string& one, const Target& other, const std::string& place) {
  return user_error(cat(quoted(one), " and ", quoted(other.label.text()),
                        " have one place in a store: ", quoted(place)),
                    "Give each a `prefix` of its own")
      .at(other.place_of("prefix"));
}

Error meeting_itself(const Target& target, const std::string& place, const std::string& manifest_key) {
  return user_error(cat(quoted(target.label.text()), " has files in ", quoted(place),
                        " from when that was its place, and would write over them"),
                    cat("Choose a `prefix` apart from it; or remove the object ", quoted(manifest_key),
                        ", and nothing is known of these files any more"))
      .at(target.place_of("prefix"));
}

Error made_by_newer(const Target& target, const std::string& place, const std::string& manifest_key) {
  return user_error(cat("The manifest object of ", quoted(place), ", ", quoted(manifest_key),
                        ", was made by a newer trainmake"),
                    "Use that one here, too; or choose another `prefix`")
      .at(target.place_of("prefix"))
      .because(Blame::kRemote);
}

}  // namespace

Result<std::string> clean_prefix(const std::string& given) {
  std::optional<std::string> clean = path_clean(given);
  if (clean && !clean->empty() && !clean->starts_with('/') && !has_folder_of_ours(*clean))
    return *std::move(clean);
  return fail(user_error(
      cat("`prefix` ", quoted(given), " is no place in a store for data"),
      "Write it as `sets/mnist`: a folder, no `..`, no first slash, and no name of trainmake's own, as "
      "`.trainmake`"));
}

std::vector<Error> wrong_prefix(const Value& prefix) {
  auto clean = clean_prefix(*prefix.string());
  return clean ? std::vector<Error>() : std::vector<Error>{std::move(clean).error()};
}

StorePlace StorePlace::of_content(const std::string& root) const {
  StorePlace place = *this;
  if (snapshot) place.prefix = path_join(prefix, root);
  place.is_of_one_content = snapshot;
  return place;
}

std::string StorePlace::identity() const {
  return cat(service, "\n", prefix, is_of_one_content ? kOfOneContent : "");
}
std::string StorePlace::text() const { return path_join(name, prefix); }
std::string StorePlace::key(const std::string& file_key) const { return path_join(prefix, file_key); }

Result<void> StorePlace::list(const std::function<void(std::string_view, const StoredObject&)>& visit) const {
  const std::string folder = cat(prefix, "/");
  return store->list(folder, [&](const StoredObject& object) {
    const std::string_view key = object.key;
    if (key.starts_with(folder)) visit(key.substr(folder.size()), object);
  });
}

std::string StorePlace::manifest_key() const { return manifest_key_of(prefix); }
std::string StorePlace::lease_key(const std::string& writer) const {
  // Whatever a manifest object calls its writer.
  return cat(own_folder_of(prefix), kLeases, "/", digest_of(writer).hex());
}

std::string StorePlace::local_path(const std::string& any_key) const {
  return path_join(store->traits().folder, any_key);
}

std::optional<std::int64_t> StorePlace::Seen::heard_s() const {
  if (!age_s || !lease.age_s) return lease.age_s ? lease.age_s : age_s;
  return std::min(*age_s, *lease.age_s);
}

Result<StorePlace::Seen> StorePlace::read_or_damaged(const Target& target) const {
  TRY_ASSIGN(const std::optional<ObjectBytes> found, store->get(manifest_key()));
  if (!found) return Seen{};
  std::optional<Mirror> mirror = mirror_from_json(found->bytes);
  if (!mirror && is_newer_mirror(found->bytes)) return fail(made_by_newer(target, text(), manifest_key()));
  const bool is_damaged = !mirror;
  Seen seen{std::move(mirror).value_or(Mirror{}), found->tag, found->age_s, is_damaged, {}};
  TRY(check_owner(seen.mirror, target));
  TRY(check_project(seen.mirror, target));
  if (seen.may_be_at_work() && !is_local()) {
    TRY_ASSIGN(seen.lease, read_lease(*this, seen.mirror.writer));
  }
  return seen;
}

Result<StorePlace::Seen> StorePlace::read(const Target& target) const {
  TRY_ASSIGN(Seen seen, read_or_damaged(target));
  if (seen.is_damaged) return fail(damaged(target));
  return seen;
}

Error StorePlace::damaged(const Target& target) const {
  const std::string heal = cat("`trainmake data verify --heal ", shell_word(target.label.text()), "`");
  return step_error(cat("The manifest object of ", quoted(text()), ", ", quoted(manifest_key()),
                        ", is damaged: nothing tells which objects are ours"),
                    cat(heal,
                        " writes it anew, where something was sent from; or remove that object, and all is "
                        "sent again"))
      .at(target.where)
      .because(Blame::kRemote);
}

Error StorePlace::in_the_way(const Target& target) const {
  return step_error(cat("What somebody else put in ", quoted(text()),
                        " is in the way of what is sent: a file became a folder, or the other way round"),
                    "Remove it there by hand, or choose another `prefix`")
      .at(target.where);
}

Result<void> StorePlace::check_owner(const Mirror& there, const Target& target) const {
  const std::string& owner = there.target;
  if (owner.empty() || owner == owner_text(target.label)) return {};
  return fail(user_error(cat(quoted(text()), " holds the files of ", quoted(owner)),
                         cat("Choose another `prefix`; if that target is no more, remove the object ",
                             quoted(manifest_key())))
                  .at(target.place_of("prefix")));
}

// One without a name is believed to be any.
Result<void> StorePlace::check_project(const Mirror& there, const Target& target) const {
  const std::string project = owner_text(target.project);
  if (there.project.empty() || project.empty() || there.project == project) return {};
  return fail(user_error(cat(quoted(text()), " holds the files of ", quoted(there.target), " of project ",
                             quoted(there.project), ", and this is project ", quoted(project)),
                         cat("Choose another `prefix`; if that project is no more, or has this name by now, "
                             "remove the object ",
                             quoted(manifest_key())))
                  .at(target.place_of("prefix")));
}

Result<std::string> StorePlace::local_tag() const {
  const std::string key = manifest_key();
  std::string tag;
  TRY(store->list(key, [&](const StoredObject& object) {
    if (object.key == key) tag = object.tag;
  }));
  return tag;
}

Result<std::optional<Mirror>> StorePlace::neighbour(const std::string& other, const Target& target) const {
  TRY_ASSIGN(const std::optional<ObjectBytes> json, store->get(manifest_key_of(other)));
  if (!json) return std::optional<Mirror>();
  std::optional<Mirror> mirror = mirror_from_json(json->bytes);
  if (mirror) return mirror;
  const std::string place = path_join(name, other);
  if (is_newer_mirror(json->bytes)) return fail(made_by_newer(target, place, manifest_key_of(other)));
  return fail(step_error(cat("The manifest object of ", quoted(place), ", ", quoted(manifest_key_of(other)),
                             ", is damaged, and ", quoted(text()), " may have keys in that place"),
                         "`trainmake data verify --heal` of the target there writes it anew; when there is "
                         "none any more, remove that object")
                  .at(target.place_of("prefix"))
                  .because(Blame::kRemote));
}

Error StorePlace::met(const Mirror& there, const std::string& other, const Target& target) const {
  if (there.target == owner_text(target.label))
    return meeting_itself(target, path_join(name, other), manifest_key_of(other));
  return meeting(there.target, target, path_join(name, std::max(prefix, other)));
}

Result<void> StorePlace::check_neighbours(const Target& target, const Listing& listing,
                                          const MirrorChange& changed) const {
  for (std::string outer(path_folder(prefix)); !outer.empty(); outer = path_folder(outer)) {
    TRY_ASSIGN(const std::optional<Mirror> there, neighbour(outer, target));
    const std::string inside = *path_below(prefix, outer);
    if (there && (has_key_in(there->objects, inside) || has_key_in(there->unsettled, inside)))
      return fail(met(*there, outer, target));
  }
  std::vector<std::string> inner;
  const std::string folder = own_folder_of(prefix);
  const std::string end = cat("/", kManifest);
  TRY(store->list(folder, [&](const StoredObject& object) {
    std::string inside = object.key.starts_with(folder) ? object.key.substr(folder.size()) : "";
    if (!inside.ends_with(end)) return;  // among them, the manifest of this place itself
    inside.resize(inside.size() - end.size());
    if (has_key_in(listing, inside) || has_key_in(changed.remove, inside) ||
        has_key_in(changed.make_way, inside))
      inner.push_back(path_join(prefix, inside));
  }));
  for (const std::string& other : inner) {
    TRY_ASSIGN(const std::optional<Mirror> there, neighbour(other, target));
    if (there) return fail(met(*there, other, target));
  }
  return {};
}

std::shared_ptr<void> StorePlace::heed(const Doing& doing) const {
  return store->heed(doing.stop, [events = doing.events, name = name](const std::string& text) {
    events(Message{{}, cat("Store ", quoted(name), ": ", text)});
  });
}

Result<std::optional<FileLock>> StorePlace::hold(Host& host, const Target& target, const Doing& doing) const {
  return lock(host, target, doing, cat(own_folder_of(prefix), kLock), text());
}

Result<std::optional<FileLock>> StorePlace::hold_store(Host& host, const Target& target,
                                                       const Doing& doing) const {
  return lock(host, target, doing, cat(kOwnFolder, "/", kLock), name);
}

Result<std::optional<FileLock>> StorePlace::lock(Host& host, const Target& target, const Doing& doing,
                                                 const std::string& key, const std::string& what) const {
  if (!is_local()) return std::optional<FileLock>();
  const std::string path = local_path(key);
  // A lock is a file, which would be made wherever a link leads.
  TRY_ASSIGN(const std::string link, link_between(host.files, store->traits().folder, cat(key, "/")));
  if (!link.empty())
    return fail(user_error(cat(quoted(link), " in store ", quoted(name), " is a link"),
                           "Nothing is written beyond it; put a folder or nothing in its place")
                    .at(target.place_of("store")));
  const auto tell = [&] {
    doing.events(Message{target.label, cat("Waiting for another trainmake, which sends to ", quoted(what))});
  };
  TRY_ASSIGN(std::optional<FileLock> lock,
             wait_for_lock(host, path, FileLock::Mode::kExclusive, {doing.stop, doing.wait, tell}));
  if (lock) return lock;
  return fail(
      step_error(cat("Another trainmake sends to ", quoted(what)), "Leave out `--no-wait` to wait for it")
          .because(Blame::kBusy));
}

Result<void> PlaceClaims::claim(const StorePlace& place, const Target& target,
                                std::shared_ptr<const Listing> listing) {
  std::lock_guard lock(mutex_);
  const std::string path = place.text();
  const auto [owner, is_new] = owners_.emplace(path, Owner{target.label, listing});
  if (!is_new && owner->second.label != target.label)
    return fail(meeting(owner->second.label.text(), target, path));
  for (std::string outer(path_folder(path)); !outer.empty(); outer = path_folder(outer)) {
    const auto found = owners_.find(outer);
    if (found != owners_.end() && has_key_in(*found->second.listing, *path_below(path, outer)))
      return fail(meeting(found->second.label.text(), target, path));
  }
  for (auto inner = owners_.upper_bound(path + "/");
       inner != owners_.end() && path_below(inner->first, path).has_value(); ++inner) {
    if (has_key_in(*listing, *path_below(inner->first, path)))
      return fail(meeting(inner->second.label.text(), target, inner->first));
  }
  return {};
}

}  // namespace trainmake
