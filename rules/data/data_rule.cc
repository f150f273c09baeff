#include "rules/data/data_rule.h"

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
  const std::string prefix = target.string_or("prefix", path_join(target.label.folder, target.label.name));
  return std::optional<Place>(Place{*std::move(store), name, prefix, cat(".trainmake/", prefix, ".json"),
                                    target.boolean_or("prune", true)});
}

// Two targets of this run with one place are an error before either of them is sent.
Result<void> DataRule::claim(const Place& place, const Target& target) {
  std::lock_guard lock(mutex_);
  const auto [owner, is_new] = owners_.emplace(path_join(place.name, place.prefix), target.label);
  if (is_new || owner->second == target.label) return {};
  return fail(user_error(cat(quoted(owner->second.text()), " and ", quoted(target.label.text()),
                             " have one place in a store: ", quoted(owner->first)),
                         "Give each a `prefix` of its own")
                  .at(target.place_of("prefix")));
}

Result<Description> DataRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  FileSetRequest request{target.label.folder,          target.find("files"), {},
                         target.string_or("dest", ""), Links::kFollow,       false,
                         target.place_of("files")};
  if (target.find("root") != nullptr) request.root = target.string_or("root", "");
  TRY_ASSIGN(FileSet set, services_.file_sets.read(request));
  TRY_ASSIGN(const std::optional<Place> place, place_of(target));

  Description description;
  for (std::size_t i = 0; i < set.files.size(); ++i)
    description.manifest.add(Section::kData, set.paths[i], set.files[i].content);
  for (const char* name : {"root", "dest"}) {
    if (const Value* value = target.find(name))
      description.manifest.add(Section::kAttr, name, digest_of(*value));
  }
  const Digest128 identity = tree_identity(set.files, false);
  description.manifest.add(Section::kAttr, "keys", identity);
  if (place) {
    description.manifest.add(
        Section::kAttr, "store",
        cat(place->name, "\n", *services_.space.find("store", place->name)->text("url")));
    description.manifest.add(Section::kAttr, "prefix", place->prefix);
    description.manifest.add(Section::kAttr, "prune", place->prune ? "true" : "false");
    TRY(claim(*place, target));
    TRY_ASSIGN(const Mirror there, place->read(target));
    const MirrorChange changed = change(set.files, there, place->prune);
    description.work.objects = changed.send.size();
    description.work.object_bytes = changed.bytes;
  }
  description.manifest.seal();
  description.predicted = {{"tree", identity.hex(), "", bytes_of(set.files), ""}};
  description.looks = std::move(set.looks);
  description.notes = std::move(set.notes);
  description.carry = std::make_shared<const Listing>(std::move(set.files));
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
  TRY_ASSIGN(const Mirror there, place->read(target));
  const MirrorChange changed = change(listing, there, place->prune);
  std::uint64_t sent = 0;
  for (const ListedFile* file : changed.send) {
    if (doing.stop.stop_requested()) return fail(step_error("Interrupted").because(Blame::kInterrupted));
    TRY(place->store->put_file(place->key(file->key), services_.workspace.path(file->source), file->content));
    sent += file->size;
    doing.tally.uploaded_objects += 1;
    doing.tally.uploaded_bytes += file->size;
    doing.events(Progress{target.label, "uploading", sent, changed.bytes, true});
  }
  // The manifest object comes after what it names and before what it forgets, so that a cut at any point
  // leaves a store in which everything it names is there and everything ours is named.
  Mirror now = mirror_of(listing, target.label.text());
  now.removing = changed.remove;
  TRY(place->store->put(place->manifest_key, to_json(now)));
  for (const std::string& key : changed.remove) {
    TRY(place->store->remove(place->key(key)));
    doing.tally.deleted_objects += 1;
  }
  if (!changed.remove.empty()) {
    now.removing.clear();
    TRY(place->store->put(place->manifest_key, to_json(now)));
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
  return there.root == tree->identity && there.removing.empty();
}

}  // namespace trainmake
