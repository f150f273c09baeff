#include "rules/data/data_rule.h"

#include <algorithm>
#include <memory>

#include "engine/base/text.h"
#include "rules/data/transfer.h"

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
              {.name = "prefix",
               .shape = Shape::kString,
               .doc = "Where in the store; else `<project folder>/<name>`",
               .wrong = wrong_prefix},
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

DataRule::DataRule(const DataServices& services) : services_(services) {}

const Schema& data_schema() {
  static const Schema schema = make_schema();
  return schema;
}

Result<std::optional<StorePlace>> DataRule::place_of(const Target& target) {
  const std::string name = target.string_or("store", services_.space.default_store);
  if (name.empty()) return std::optional<StorePlace>();
  Result<std::unique_ptr<Store>> store = open_store(
      services_.store_rooms, services_.host, services_.workspace, services_.space, name, services_.tally);
  if (!store) {
    Error error = std::move(store).error();
    if (!error.where.known()) error.where = target.place_of("store");
    return fail(std::move(error));
  }
  auto prefix = clean_prefix(target.string_or("prefix", path_join(target.label.folder, target.label.name)));
  if (!prefix) return fail(std::move(prefix).error().at(target.place_of("prefix")));
  return std::optional<StorePlace>(
      StorePlace{*std::move(store), name, *std::move(prefix), target.boolean_or("prune", true)});
}

Result<Description> DataRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  FileSetRequest request{target.label.folder,          target.find("files"), {},
                         target.string_or("dest", ""), Links::kFollow,       false,
                         target.place_of("files")};
  if (target.find("root") != nullptr) request.root = target.string_or("root", "");
  TRY_ASSIGN(FileSet set, services_.file_sets.read(request));
  TRY_ASSIGN(const std::optional<StorePlace> place, place_of(target));
  const auto listing = std::make_shared<const Listing>(std::move(set.files));

  if (place && std::any_of(listing->begin(), listing->end(),
                           [](const ListedFile& file) { return is_own_key(file.key); }))
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
    TRY(claims_.claim(*place, target, listing));
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
  TRY_ASSIGN(const std::optional<StorePlace> place, place_of(target));
  TRY_ASSIGN(const Sha256 tree, services_.blobs.put(encode(listing)));
  Done done;
  done.artifacts = {
      {"tree", tree_identity(listing, false).hex(), tree.hex(), bytes_of(listing), cat("blob:", tree.hex())}};
  if (!place) {
    done.note = cat(plural(listing.size(), "file"), ", read in place");
    return done;
  }
  TRY_ASSIGN(const std::optional<FileLock> held, place->hold(services_.host, target, doing));
  TRY_ASSIGN(Mirror there, place->read(target));
  if (doing.afresh) {  // somebody asked for it: what it says of its objects may not be so any more
    for (MirrorObject& object : there.objects) there.unsettled.push_back(std::move(object.key));
    there.objects.clear();
  }
  const MirrorChange changed = change(listing, there, place->prune);
  if (!changed.send.empty() || !changed.remove.empty() || !there.unsettled.empty() ||
      there.root != done.artifacts.front().identity) {
    Transfer transfer(services_.host, services_.workspace, *place, target.label, listing, changed);
    {
      const std::lock_guard among_ours(announcing_);
      TRY_ASSIGN(const std::optional<FileLock> alone, place->hold_store(services_.host, target, doing));
      TRY(place->check_neighbours(target, listing));
      TRY(transfer.announce());
    }
    TRY(transfer.run(doing));
  }
  done.artifacts.push_back({"store", place->text(), "", 0, cat("store:", place->text())});
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
  TRY_ASSIGN(const std::optional<StorePlace> place, place_of(target));
  if (!listed || !place) return listed;
  if (const std::string path = place->store->local_path(place->manifest_key()); !path.empty()) {
    TRY_ASSIGN(const Stat stat, services_.host.files.look(path));
    looks.files.push_back({path_below(path, services_.workspace.root).value_or(path), stat});
  }
  TRY_ASSIGN(const Mirror there, place->read(target));
  return there.root == tree->identity && there.unsettled.empty();
}

}  // namespace trainmake
