#include "rules/data/place.h"

#include <algorithm>
#include <chrono>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kOwnFolder = ".trainmake";
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

}  // namespace

bool is_own_key(const std::string& path) {
  return path == kOwnFolder || path_below(path, kOwnFolder).has_value();
}

Result<std::string> clean_prefix(const std::string& given) {
  std::optional<std::string> clean = path_clean(given);
  if (clean && !clean->starts_with('/') && !is_own_key(*clean)) return *std::move(clean);
  return fail(user_error(cat("`prefix` ", quoted(given), " is no place in a store for data"),
                         "Write it as `sets/mnist`: no `..`, no first slash, and not below `.trainmake`"));
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

Result<void> StorePlace::check_neighbours(const Target& target, const Listing& listing) const {
  for (std::string outer(path_folder(prefix)); !outer.empty(); outer = path_folder(outer)) {
    TRY_ASSIGN(const std::optional<std::string> json, store->get(manifest_key_of(outer)));
    const std::optional<Mirror> there = json ? mirror_from_json(*json) : std::nullopt;
    if (there && has_key_below(there->objects, *path_below(prefix, outer)))
      return fail(meeting(there->target, target, text()));
  }
  std::string met;
  const std::string folder = cat(kOwnFolder, "/", prefix, "/");
  TRY(store->list(folder, [&](const StoredObject& object) {
    const std::string inner = object.key.substr(folder.size());
    if (inner.ends_with(kManifestEnd) &&
        has_key_below(listing, inner.substr(0, inner.size() - kManifestEnd.size())))
      met = object.key;
  }));
  if (met.empty()) return {};
  TRY_ASSIGN(const std::optional<std::string> json, store->get(met));
  const std::optional<Mirror> there = json ? mirror_from_json(*json) : std::nullopt;
  if (!there || there->target == target.label.text()) return {};
  return fail(meeting(there->target, target, text()));
}

Result<std::optional<FileLock>> StorePlace::hold(Host& host, const Target& target, const Doing& doing) const {
  const std::string path = store->local_path(cat(kOwnFolder, "/", prefix, ".lock"));
  if (path.empty()) return std::optional<FileLock>();
  for (bool told = false;; told = true) {
    TRY_ASSIGN(std::optional<FileLock> lock, host.files.lock(path, FileLock::Mode::kExclusive));
    if (lock) return lock;
    if (!told)
      doing.events(
          Message{target.label, cat("Waiting for another trainmake, which sends to ", quoted(text()))});
    if (host.clock.wait(std::chrono::milliseconds(100), doing.stop))
      return fail(step_error("Interrupted").because(Blame::kInterrupted));
  }
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
