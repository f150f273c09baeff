#include "rules/data/place.h"

#include <algorithm>

#include "engine/base/file_lock.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kManifestEnd = ".json";

std::string manifest_key_of(const std::string& prefix) { return cat(kOwnFolder, "/", prefix, kManifestEnd); }

// Of anything sorted by key.
template <typename Keyed>
bool has_key_below(const std::vector<Keyed>& sorted, const std::string& folder) {
  const std::string first = cat(folder, "/");
  const auto found =
      std::lower_bound(sorted.begin(), sorted.end(), first,
                       [](const Keyed& entry, const std::string& asked) { return entry.key < asked; });
  return found != sorted.end() && found->key.starts_with(first);
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

bool has_sorted_below(const std::vector<std::string>& sorted, const std::string& folder) {
  const std::string first = cat(folder, "/");
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), first);
  return found != sorted.end() && found->starts_with(first);
}

}  // namespace

Result<std::string> clean_prefix(const std::string& given) {
  std::optional<std::string> clean = path_clean(given);
  if (clean && !clean->empty() && !clean->starts_with('/') && !is_own_key(*clean)) return *std::move(clean);
  return fail(
      user_error(cat("`prefix` ", quoted(given), " is no place in a store for data"),
                 "Write it as `sets/mnist`: a folder, no `..`, no first slash, and not below `.trainmake`"));
}

std::vector<Error> wrong_prefix(const Value& prefix) {
  auto clean = clean_prefix(*prefix.string());
  return clean ? std::vector<Error>() : std::vector<Error>{std::move(clean).error()};
}

std::string StorePlace::text() const { return path_join(name, prefix); }
std::string StorePlace::key(const std::string& file_key) const { return path_join(prefix, file_key); }
std::string StorePlace::manifest_key() const { return manifest_key_of(prefix); }

Result<Mirror> StorePlace::read(const Target& target) const {
  TRY_ASSIGN(const std::optional<std::string> json, store->get(manifest_key()));
  Mirror there = json ? mirror_from_json(*json).value_or(Mirror{}) : Mirror{};
  if (there.target.empty() || there.target == target.label.text()) return there;
  return fail(user_error(cat(quoted(text()), " holds the files of ", quoted(there.target)),
                         cat("Choose another `prefix`; if that target is no more, remove the object ",
                             quoted(manifest_key())))
                  .at(target.place_of("prefix")));
}

Result<void> StorePlace::write(const Mirror& mirror) const {
  return store->put(manifest_key(), to_json(mirror));
}

Result<std::optional<Mirror>> StorePlace::neighbour(const std::string& other) const {
  TRY_ASSIGN(const std::optional<std::string> json, store->get(manifest_key_of(other)));
  return json ? mirror_from_json(*json) : std::nullopt;
}

Error StorePlace::met(const Mirror& there, const std::string& other, const Target& target) const {
  if (there.target == target.label.text())
    return meeting_itself(target, path_join(name, other), manifest_key_of(other));
  return meeting(there.target, target, path_join(name, std::max(prefix, other)));
}

Result<void> StorePlace::check_neighbours(const Target& target, const Listing& listing) const {
  for (std::string outer(path_folder(prefix)); !outer.empty(); outer = path_folder(outer)) {
    TRY_ASSIGN(const std::optional<Mirror> there, neighbour(outer));
    const std::string inside = *path_below(prefix, outer);
    if (there && (has_key_below(there->objects, inside) || has_sorted_below(there->unsettled, inside)))
      return fail(met(*there, outer, target));
  }
  std::vector<std::string> inner;
  const std::string folder = cat(kOwnFolder, "/", prefix, "/");
  TRY(store->list(folder, [&](const StoredObject& object) {
    std::string inside = object.key.substr(folder.size());
    if (!inside.ends_with(kManifestEnd)) return;
    inside.resize(inside.size() - kManifestEnd.size());
    if (has_key_below(listing, inside)) inner.push_back(path_join(prefix, inside));
  }));
  for (const std::string& other : inner) {
    TRY_ASSIGN(const std::optional<Mirror> there, neighbour(other));
    if (there) return fail(met(*there, other, target));
  }
  return {};
}

Result<std::optional<FileLock>> StorePlace::hold(Host& host, const Target& target, const Doing& doing) const {
  return lock(host, target, doing, cat(kOwnFolder, "/", prefix, ".lock"), text());
}

Result<std::optional<FileLock>> StorePlace::hold_store(Host& host, const Target& target,
                                                       const Doing& doing) const {
  return lock(host, target, doing, cat(kOwnFolder, "/.lock"), name);
}

Result<std::optional<FileLock>> StorePlace::lock(Host& host, const Target& target, const Doing& doing,
                                                 const std::string& key, const std::string& what) const {
  const std::string path = store->local_path(key);
  if (path.empty()) return std::optional<FileLock>();
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
    if (found != owners_.end() && has_key_below(*found->second.listing, *path_below(path, outer)))
      return fail(meeting(found->second.label.text(), target, path));
  }
  for (auto inner = owners_.upper_bound(path + "/");
       inner != owners_.end() && path_below(inner->first, path).has_value(); ++inner) {
    if (has_key_below(*listing, *path_below(inner->first, path)))
      return fail(meeting(inner->second.label.text(), target, inner->first));
  }
  return {};
}

}  // namespace trainmake
