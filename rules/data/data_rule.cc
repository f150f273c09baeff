#include "rules/data/data_rule.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "engine/base/text.h"
#include "rules/data/mirror.h"

namespace trainmake {
namespace {

Schema make_schema() {
  return {"data",
          "Files that jobs read: in place, or mirrored into a store",
          {
              {"files", Shape::kFiles, "The files, as `glob \"data/**\"` or `{ \"solver.json\" }`", true},
              {"root", Shape::kString,
               "The folder that keys start from; else the longest one that all patterns share"},
              {"dest", Shape::kString, "A folder that every key is put under"},
              {"store", Shape::kString,
               "A store of TRAINSPACE.lua; else the default one; else the files are read where they lie"},
              {"prefix", Shape::kString, "Where in the store; else `<project folder>/<name>`"},
              {"prune", Shape::kBoolean, "`false` leaves objects in the store whose files are gone"},
              {"tags", Shape::kStringList, "Words to find it by", false, Effect::kNone},
              {"notes", Shape::kString, "A remark", false, Effect::kNone},
          }};
}

constexpr std::int64_t kTellEvery_ns = 20'000'000'000;

constexpr std::string_view kManifestFolder = ".trainmake";
constexpr std::string_view kManifestEnd = ".json";

std::string manifest_key(const std::string& prefix) {
  return cat(kManifestFolder, "/", prefix, kManifestEnd);
}

bool is_ours(const std::string& path) {
  return path == kManifestFolder || path_below(path, kManifestFolder).has_value();
}

// Of anything sorted by key.
template <typename Keyed>
bool has_key_below(const std::vector<Keyed>& sorted, const std::string& folder) {
  const std::string first = cat(folder, "/");
  const auto found =
      std::lower_bound(sorted.begin(), sorted.end(), first,
                       [](const Keyed& entry, const std::string& asked) { return entry.key < asked; });
  return found != sorted.end() && found->key.starts_with(first);
}

Error meeting(const std::string& one, const std::string& other, const std::string& place) {
  return user_error(cat(quoted(one), " and ", quoted(other), " have one place in a store: ", quoted(place)),
                    "Give each a `prefix` of its own");
}

using SharedListing = std::shared_ptr<const Listing>;

std::uint64_t bytes_of(const Listing& listing) {
  std::uint64_t bytes = 0;
  for (const ListedFile& file : listing) bytes += file.size;
  return bytes;
}

}  // namespace

struct DataRule::Place {
  std::unique_ptr<Store> store;
  std::string name;
  std::string prefix;
  std::string manifest_key;
  bool prune = true;

  std::string key(const std::string& file_key) const { return path_join(prefix, file_key); }
  // What the store's manifest object says; nothing when there is none, or when it is damaged. One place
  // belongs to one target: another's files would be taken for ours, and removed.
  Result<Mirror> read(const Target& target) const {
    TRY_ASSIGN(const std::optional<std::string> json, store->get(manifest_key));
    Mirror there = json ? mirror_from_json(*json).value_or(Mirror{}) : Mirror{};
    if (there.target.empty() || there.target == target.label.text()) return there;
    return fail(user_error(cat(quoted(path_join(name, prefix)), " holds the files of ", quoted(there.target)),
                           cat("Choose another `prefix`; if that target is no more, remove the object ",
                               quoted(manifest_key)))
                    .at(target.place_of("prefix")));
  }
};

// Makes a place what it should be. The manifest object says first what is about to change and last what is
// there, and now and then in between, so that a transfer that is cut goes on near where it was.
class DataRule::Transfer {
 public:
  Transfer(const DataServices& services, const Place& place, const Label& label, const Listing& listing,
           const MirrorChange& changed)
      : services_(services), place_(place), label_(label), listing_(listing), changed_(changed) {}

  Result<void> run(const Doing& doing) {
    if (!changed_.send.empty() || !changed_.remove.empty()) TRY(tell());
    if (auto moved = move(doing); !moved) {
      // Worth a try: what failed is what counts.
      static_cast<void>(tell());
      return moved;
    }
    return tell();
  }

 private:
  Result<void> move(const Doing& doing) {
    // First, because a folder's key may have become a file's, or the other way round.
    for (const std::string& key : changed_.remove) {
      TRY(go_on(doing));
      TRY(place_.store->remove(place_.key(key)));
      ++removed_;
      doing.tally.deleted_objects += 1;
    }
    std::uint64_t bytes = 0;
    for (const ListedFile* file : changed_.send) {
      TRY(go_on(doing));
      TRY(place_.store->put_file(place_.key(file->key), services_.workspace.path(file->source),
                                 file->content));
      ++sent_;
      bytes += file->size;
      doing.tally.uploaded_objects += 1;
      doing.tally.uploaded_bytes += file->size;
      doing.events(Progress{label_, "uploading", bytes, changed_.bytes, true});
    }
    return {};
  }

  Result<void> go_on(const Doing& doing) {
    if (doing.stop.stop_requested()) return fail(step_error("Interrupted").because(Blame::kInterrupted));
    if (services_.host.clock.steady_ns() - told_ns_ < kTellEvery_ns) return {};
    return tell();
  }

  Result<void> tell() {
    told_ns_ = services_.host.clock.steady_ns();
    return place_.store->put(place_.manifest_key,
                             to_json(midway(listing_, label_.text(), changed_, sent_, removed_)));
  }

  const DataServices& services_;
  const Place& place_;
  const Label& label_;
  const Listing& listing_;
  const MirrorChange& changed_;
  std::size_t sent_ = 0, removed_ = 0;
  std::int64_t told_ns_ = 0;
};

DataRule::DataRule(const DataServices& services) : services_(services) {}

const Schema& data_schema() {
  static const Schema schema = make_schema();
  return schema;
}

std::string DataRule::store_name(const Target& target) const {
  return target.string_or("store", services_.space.default_store);
}

Result<std::optional<DataRule::Place>> DataRule::place_of(const Target& target) {
  const std::string name = store_name(target);
  if (name.empty()) return std::optional<Place>();
  Result<std::unique_ptr<Store>> store = open_store(
      services_.store_rooms, services_.host, services_.workspace, services_.space, name, services_.tally);
  if (!store) {
    Error error = std::move(store).error();
    if (!error.where.known()) error.where = target.place_of("store");
    return fail(std::move(error));
  }
  const std::string given = target.string_or("prefix", path_join(target.label.folder, target.label.name));
  const std::optional<std::string> prefix = path_clean(given);
  if (!prefix || prefix->starts_with('/') || is_ours(*prefix))
    return fail(user_error(cat("`prefix` ", quoted(given), " is no place in a store for data"),
                           "Write it as `sets/mnist`: no `..`, no first slash, and not below `.trainmake`")
                    .at(target.place_of("prefix")));
  return std::optional<Place>(
      Place{*std::move(store), name, *prefix, manifest_key(*prefix), target.boolean_or("prune", true)});
}

// Two targets of this run with one place, or one with keys in the other's, are an error before either of them
// is sent.
Result<void> DataRule::claim(const Place& place, const Target& target,
                             std::shared_ptr<const Listing> listing) {
  std::lock_guard lock(mutex_);
  const std::string path = path_join(place.name, place.prefix);
  const auto [owner, is_new] = owners_.emplace(path, Owner{target.label, listing});
  if (!is_new && owner->second.label != target.label)
    return fail(meeting(owner->second.label.text(), target.label.text(), path).at(target.place_of("prefix")));
  for (std::string outer(path_folder(path)); !outer.empty(); outer = path_folder(outer)) {
    const auto found = owners_.find(outer);
    if (found != owners_.end() && has_key_below(*found->second.listing, *path_below(path, outer)))
      return fail(
          meeting(found->second.label.text(), target.label.text(), path).at(target.place_of("prefix")));
  }
  for (auto inner = owners_.upper_bound(path + "/");
       inner != owners_.end() && path_below(inner->first, path).has_value(); ++inner) {
    if (has_key_below(*listing, *path_below(inner->first, path)))
      return fail(meeting(inner->second.label.text(), target.label.text(), inner->first)
                      .at(target.place_of("prefix")));
  }
  return {};
}

// The same for what other runs put into the store.
Result<void> DataRule::check_neighbours(const Place& place, const Target& target,
                                        const Listing& listing) const {
  for (std::string outer(path_folder(place.prefix)); !outer.empty(); outer = path_folder(outer)) {
    TRY_ASSIGN(const std::optional<std::string> json, place.store->get(manifest_key(outer)));
    const std::optional<Mirror> there = json ? mirror_from_json(*json) : std::nullopt;
    if (there && has_key_below(there->objects, *path_below(place.prefix, outer)))
      return fail(meeting(there->target, target.label.text(), path_join(place.name, place.prefix))
                      .at(target.place_of("prefix")));
  }
  std::string met;
  const std::string folder = cat(kManifestFolder, "/", place.prefix, "/");
  TRY(place.store->list(folder, [&](const StoredObject& object) {
    const std::string inner = object.key.substr(folder.size());
    if (inner.ends_with(kManifestEnd) &&
        has_key_below(listing, inner.substr(0, inner.size() - kManifestEnd.size())))
      met = object.key;
  }));
  if (met.empty()) return {};
  TRY_ASSIGN(const std::optional<std::string> json, place.store->get(met));
  const std::optional<Mirror> there = json ? mirror_from_json(*json) : std::nullopt;
  if (!there || there->target == target.label.text()) return {};
  return fail(meeting(there->target, target.label.text(), path_join(place.name, place.prefix))
                  .at(target.place_of("prefix")));
}

// Another clone may have the same place: what one tells of it must not be said while the other sends. Nothing
// where a store has no locks.
Result<std::optional<FileLock>> DataRule::hold(const Place& place, const Target& target,
                                               const Doing& doing) const {
  const std::string path = place.store->local_path(cat(kManifestFolder, "/", place.prefix, ".lock"));
  if (path.empty()) return std::optional<FileLock>();
  for (bool told = false;; told = true) {
    TRY_ASSIGN(std::optional<FileLock> lock, services_.host.files.lock(path, FileLock::Mode::kExclusive));
    if (lock) return lock;
    if (!told)
      doing.events(Message{target.label, cat("Waiting for another trainmake, which sends to ",
                                             quoted(path_join(place.name, place.prefix)))});
    if (services_.host.clock.wait(std::chrono::milliseconds(100), doing.stop))
      return fail(step_error("Interrupted").because(Blame::kInterrupted));
  }
}

Result<Description> DataRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  FileSetRequest request{target.label.folder,          target.find("files"), {},
                         target.string_or("dest", ""), Links::kFollow,       false,
                         target.place_of("files")};
  if (target.find("root") != nullptr) request.root = target.string_or("root", "");
  TRY_ASSIGN(FileSet set, services_.file_sets.read(request));
  TRY_ASSIGN(const std::optional<Place> place, place_of(target));
  const auto listing = std::make_shared<const Listing>(std::move(set.files));

  if (place &&
      std::any_of(listing->begin(), listing->end(), [](const ListedFile& file) { return is_ours(file.key); }))
    return fail(user_error(cat("Keys of ", quoted(target.label.text()),
                               " lie below `.trainmake`, which is "
                               "trainmake's own in a store"),
                           "Choose another `dest`")
                    .at(target.place_of("dest")));

  Description description;
  for (std::size_t i = 0; i < listing->size(); ++i)
    description.manifest.add(Section::kData, set.paths[i], (*listing)[i].content);
  for (const char* name : {"root", "dest"}) {
    if (const Value* value = target.find(name))
      description.manifest.add(Section::kAttr, name, digest_of(*value));
  }
  const Digest128 identity = tree_identity(*listing, false);
  description.manifest.add(Section::kAttr, "keys", identity);
  if (place) {
    description.manifest.add(
        Section::kAttr, "store",
        cat(place->name, "\n", *services_.space.find("store", place->name)->text("url")));
    description.manifest.add(Section::kAttr, "prefix", place->prefix);
    description.manifest.add(Section::kAttr, "prune", place->prune ? "true" : "false");
    TRY(claim(*place, target, listing));
    TRY_ASSIGN(const Mirror there, place->read(target));
    const MirrorChange changed = change(*listing, there, place->prune);
    description.work.objects = changed.send.size();
    description.work.object_bytes = changed.bytes;
  }
  description.manifest.seal();
  description.predicted = {{"tree", identity.hex(), "", bytes_of(*listing), ""}};
  description.looks = std::move(set.looks);
  description.notes = std::move(set.notes);
  description.carry = listing;
  return description;
}

// What goes wrong on the way to a store is a step that failed, not a mistake in a file.
Result<Done> DataRule::execute(const Subject& subject, const Description& description, const Doing& doing) {
  Result<Done> done = send(subject, description, doing);
  if (!done && done.error().blame == Blame::kUser && !done.error().where.known())
    done.error().blame = Blame::kStep;
  return done;
}

Result<Done> DataRule::send(const Subject& subject, const Description& description, const Doing& doing) {
  const Target& target = subject.target();
  const Listing& listing = *std::any_cast<const SharedListing&>(description.carry);
  TRY_ASSIGN(const std::optional<Place> place, place_of(target));
  TRY_ASSIGN(const Sha256 tree, services_.blobs.put(encode(listing)));
  Done done;
  done.artifacts = {
      {"tree", tree_identity(listing, false).hex(), tree.hex(), bytes_of(listing), cat("blob:", tree.hex())}};
  if (!place) {
    done.note = cat(plural(listing.size(), "file"), ", read in place");
    return done;
  }
  TRY_ASSIGN(const std::optional<FileLock> held, hold(*place, target, doing));
  TRY_ASSIGN(Mirror there, place->read(target));
  if (doing.afresh) {  // somebody asked for it: what it says of its objects may not be so any more
    for (MirrorObject& object : there.objects) there.unsettled.push_back(std::move(object.key));
    there.objects.clear();
  }
  const MirrorChange changed = change(listing, there, place->prune);
  if (!changed.send.empty() || !changed.remove.empty() || !there.unsettled.empty() ||
      there.root != done.artifacts.front().identity) {
    TRY(check_neighbours(*place, target, listing));
    TRY(Transfer(services_, *place, target.label, listing, changed).run(doing));
  }
  done.artifacts.push_back(
      {"store", cat(place->name, "/", place->prefix), "", 0, cat("store:", place->name, "/", place->prefix)});
  done.note =
      cat(plural(changed.send.size(), "object"), ", ", human_bytes(changed.bytes), " to ", place->name);
  return done;
}

// In a store, what counts is what lies there now: an earlier result is taken again only when the store still
// holds it.
Result<bool> DataRule::holds(const Subject& subject, const Record& record, bool, Looks& looks) {
  const Artifact* tree = find_role(record.artifacts, "tree");
  const std::optional<Sha256> listing = tree == nullptr ? std::nullopt : Sha256::parse(tree->sha256);
  if (!listing) return false;
  TRY_ASSIGN(const bool listed, services_.blobs.has(*listing));
  const Target& target = subject.target();
  TRY_ASSIGN(const std::optional<Place> place, place_of(target));
  if (!listed || !place) return listed;
  if (const std::string path = place->store->local_path(place->manifest_key); !path.empty()) {
    TRY_ASSIGN(const Stat stat, services_.host.files.look(path));
    looks.files.push_back({path_below(path, services_.workspace.root).value_or(path), stat});
  }
  TRY_ASSIGN(const Mirror there, place->read(target));
  return there.root == tree->identity && there.unsettled.empty();
}

}  // namespace trainmake
