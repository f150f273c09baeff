#include "rules/data/data_rule.h"

#include <algorithm>
#include <thread>

#include "engine/base/disk_space.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "rules/data/arriving.h"
#include "rules/data/file_and_folder.h"

namespace trainmake {
namespace {

Schema make_schema() {
  return {
      "data",
      "Files that jobs read: in place, or mirrored into a store",
      {
          {"files", Shape::kFiles, "The files, as `glob \"data/**\"` or `{ \"solver.json\" }`"},
          {.name = "fetch",
           .shape = Shape::kTable,
           .doc = "Public files: `{ url = \"https://...\", sha256 = \"...\" }`, or a list of such; `name` is "
                  "its key",
           .wrong = wrong_fetch},
          {.name = "url",
           .shape = Shape::kString,
           .doc = "Where it lies already, as `s3://bucket/prefix` or a folder, `dir:/mnt/set`; nothing is "
                  "written there",
           .wrong = wrong_url},
          {.name = "digest",
           .shape = Shape::kString,
           .doc = "Of what lies at `url`, as `trainmake data verify` says it; then nobody is asked",
           .wrong = wrong_digest},
          {"root", Shape::kString,
           "The folder that keys start from; else the longest one that all patterns share"},
          {"exclude", Shape::kStringList, "Patterns, a string or a list, left out of every glob of `files`"},
          {"dest", Shape::kString, "A folder that every key is put under"},
          {"store", Shape::kString,
           "A store of TRAINSPACE.lua; else the default one; else the files are read where they lie"},
          {.name = "prefix",
           .shape = Shape::kString,
           .doc = "Where in the store; else `<project folder>/<name>`",
           .wrong = wrong_prefix},
          {"prune", Shape::kBoolean, "`false` leaves objects in the store whose files are gone"},
          {"empty_folders", Shape::kBoolean,
           "Whether folders with nothing in them are kept: jobs see them, and a store has `<folder>/`"},
          {"snapshot", Shape::kBoolean,
           "Whether each content has a folder of its own in the store, which never changes"},
          {.name = "split",
           .shape = Shape::kString,
           .doc = "How large a file is at most, as \"128MiB\": a larger one becomes parts, "
                  "`<name>-part0001` and so on",
           .wrong = wrong_split},
          {"tags", Shape::kStringList, "Words to find it by", false, Effect::kNone},
          {"notes", Shape::kString, "A remark", false, Effect::kNone},
      }};
}

std::vector<std::string> excluded_by(const Target& target) {
  const Value* exclude = target.find("exclude");
  if (exclude == nullptr) return {};
  if (const std::string* one = exclude->string()) return {*one};
  std::vector<std::string> patterns;
  for (const Value& item : exclude->table()->items) patterns.push_back(*item.string());
  return patterns;
}

// A store among the files that are sent to it would take in its own copies, deeper with each run; by whatever
// link it is reached. Links among the files are to files alone.
Result<void> check_apart(FileSystem& files, const Workspace& workspace, const StorePlace& place,
                         const Listing& listing, const Target& target) {
  if (!place.is_local()) return {};
  const std::string named = is_external(target) ? *external_folder(workspace, target)
                                                : absolute_path(workspace.path(target.label.folder));
  TRY_ASSIGN(const std::string store, follow_links(files, place.store->traits().folder));
  TRY_ASSIGN(const std::string base, follow_links(files, named));
  // One that the files lie in has other folders beside that of this target.
  const bool is_among_files = store != base && path_below(store, base);
  const std::string folder = is_among_files ? store : path_join(store, place.prefix);
  if (!path_below(folder, base) && !path_below(base, folder)) return {};
  const auto inside = std::find_if(listing.begin(), listing.end(), [&](const ListedFile& file) {
    if (file.source.empty()) return false;
    const std::string path = absolute_path(workspace.path(file.source));
    return path_below(path_join(base, path_below(path, named).value_or(path)), folder).has_value();
  });
  if (inside == listing.end()) return {};
  return fail(user_error(cat("File ", quoted(inside->source), " lies in store ", quoted(place.name),
                             ", which it would be sent to"),
                         "Leave the folder of the store out, with `exclude`; or give the store another")
                  .at(target.place_of(is_external(target) ? "url" : "files")));
}

// What describes a target whether or not what it fetches is here.
Digest128 keys_identity(Listing listing) {
  for (ListedFile& file : listing) {
    if (!file.source.empty()) continue;
    file.content = digest_of(cat("sha256:", file.sha256.hex()));
    file.size = 0;
  }
  return tree_identity(listing, false);
}

std::string text_of(const Moved& moved, const std::string& store) {
  std::string text = cat(plural(moved.sent, "object"), ", ", human_bytes(moved.bytes), " to ", store);
  if (moved.copied > 0) text += cat(", ", moved.copied, " copied there");
  if (moved.found > 0) text += cat(", ", moved.found, " found there");
  if (moved.removed > 0) text += cat(", ", moved.removed, " removed");
  return text;
}

// What of ours lies in the store and has no file any more: it is removed last, and takes its room until then.
struct Superfluous {
  std::size_t objects = 0;
  std::uint64_t bytes = 0;
  std::string first;  // its key

  void add(const std::string& key, std::uint64_t size) {
    if (objects++ == 0) first = key;
    bytes += size;
  }
};

Superfluous superfluous_in(const Mirror& there, const Listing& listing) {
  const auto is_file = [&](const std::string& key) {
    const auto found =
        std::lower_bound(listing.begin(), listing.end(), key,
                         [](const ListedFile& file, const std::string& asked) { return file.key < asked; });
    return found != listing.end() && found->key == key;
  };
  Superfluous all;
  for (const MirrorObject& object : there.objects) {
    if (!object.is_found && !is_file(object.key)) all.add(object.key, object.size);
  }
  for (const UnsettledKey& key : there.unsettled) {
    if (key.what == Unsettled::kRemoving && !is_file(key.key)) all.add(key.key, key.size);
  }
  return all;
}

}  // namespace

DataRule::DataRule(const DataServices& services)
    : services_(services),
      places_({services.host, services.workspace, services.space, services.store_rooms, services.tally}),
      fetcher_(services.host, services.workspace, services.blobs) {}

const Schema& data_schema() {
  static const Schema schema = make_schema();
  return schema;
}

// The files here and those that are fetched, in one order. One that was not fetched yet has a stand-in for
// its digest.
Result<DataRule::Gathered> DataRule::gather(const Target& target) {
  Gathered gathered;
  gathered.fetches = fetches_of(target);
  if (is_external(target)) {
    const std::optional<std::string> folder = external_folder(services_.workspace, target);
    CHECK(folder);
    TRY_ASSIGN(const Stat there, services_.host.files.look(*folder, Links::kFollow));
    if (!there.is(FileKind::kFolder))
      return fail(user_error(cat("There is no folder ", quoted(*folder)),
                             "`url = \"dir:...\"` names one, from the workspace's root or absolute")
                      .at(target.place_of("url")));
    Value all;
    all.data = Glob{{"**"}, {}, true};
    const FileSetRequest request{*folder,
                                 &all,
                                 "",
                                 target.string_or("dest", ""),
                                 Links::kFollow,
                                 false,
                                 target.place_of("url"),
                                 target.boolean_or("empty_folders", false),
                                 excluded_by(target)};
    TRY_ASSIGN(gathered.set, services_.file_sets.read(request));
    if (gathered.set.files.empty() && !request.empty_folders)
      return fail(user_error(cat("Nothing lies in the folder ", quoted(*folder)),
                             "Is it mounted? `empty_folders = true` takes an empty one as it is")
                      .at(target.place_of("url")));
  } else if (target.find("files") != nullptr) {
    FileSetRequest request{target.label.folder,
                           target.find("files"),
                           {},
                           target.string_or("dest", ""),
                           Links::kFollow,
                           false,
                           target.place_of("files"),
                           target.boolean_or("empty_folders", false),
                           excluded_by(target),
                           true};
    if (target.find("root") != nullptr) request.root = target.string_or("root", "");
    TRY_ASSIGN(gathered.set, services_.file_sets.read(request));
  } else if (gathered.fetches.empty()) {
    return fail(user_error(cat(quoted(target.label.text()), " has none of `files`, `fetch` and `url`"),
                           "Say which files it is, as `files = glob \"data/**\"`")
                    .at(target.where));
  }
  Listing& listing = gathered.set.files;
  for (FetchedFile& file : gathered.fetches) {
    file.name = path_join(target.string_or("dest", ""), file.name);
    TRY_ASSIGN(std::optional<ListedFile> known, fetcher_.known(file));
    gathered.is_whole = gathered.is_whole && known;
    listing.push_back(known.value_or(ListedFile{file.name, "", "", 0, 0644, {}, file.sha256}));
  }
  if (gathered.fetches.empty()) return gathered;
  std::stable_sort(listing.begin(), listing.end(),
                   [](const ListedFile& a, const ListedFile& b) { return a.key < b.key; });
  const auto twice =
      std::adjacent_find(listing.begin(), listing.end(),
                         [](const ListedFile& a, const ListedFile& b) { return a.key == b.key; });
  if (twice != listing.end())
    return fail(user_error(cat(quoted(target.label.text()), " has two files ", quoted(twice->key)),
                           "Give the fetched one another `name`")
                    .at(target.place_of("fetch")));
  if (const auto both = find_file_and_folder(listing))
    return fail(user_error(cat(quoted(target.label.text()), " has a file ", quoted(both->first), ", and ",
                               quoted(both->second), " in a folder of that name"),
                           "Give the fetched one another `name`")
                    .at(target.place_of("fetch")));
  return gathered;
}

Result<SharedListing> DataRule::with_parts(const Target& target, const SharedListing& whole) {
  const std::optional<std::uint64_t> part_bytes = part_bytes_of(target);
  if (!part_bytes) return whole;
  Result<Listing> parts = splitter_.split(*whole, *part_bytes);
  if (!parts) return fail(std::move(parts).error().at(target.place_of("split")));
  return SharedListing(std::make_shared<const Listing>(*std::move(parts)));
}

Result<Description> DataRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  TRY(check_external(target));
  if (lies_in_store(services_.workspace, target)) return external_.describe(target);
  Result<std::optional<StorePlace>> found = places_.place_of(target);
  std::jthread loading;  // of what will be asked for; a snapshot's is told by its content
  if (found && *found && !(*found)->is_local() && !(*found)->snapshot)
    loading = std::jthread([this, &found] { (void)places_.ledger_of(**found); });
  TRY_ASSIGN(Gathered gathered, gather(target));
  FileSet& set = gathered.set;
  if (loading.joinable()) loading.join();
  TRY_ASSIGN(const std::optional<StorePlace> place, std::move(found));
  const auto whole = std::make_shared<const Listing>(std::move(set.files));
  TRY_ASSIGN(const SharedListing listing, with_parts(target, whole));

  if (place) TRY(check_apart(services_.host.files, services_.workspace, *place, *whole, target));
  if (place && std::any_of(listing->begin(), listing->end(),
                           [](const ListedFile& file) { return is_own_key(file.key); }))
    return fail(user_error(cat("Keys of ", quoted(target.label.text()),
                               " lie below `.trainmake`, which is "
                               "trainmake's own in a store"),
                           "Choose another `dest`")
                    .at(target.place_of("dest")));

  Description description;
  description.manifest.reserve(whole->size() + gathered.fetches.size() + 8);
  auto path = set.paths.begin();  // of files here, in their order
  for (const ListedFile& file : *whole) {
    if (!file.source.empty() || is_folder(file.key))
      description.manifest.add(Section::kData, std::move(*path++), file.content);
  }
  for (const FetchedFile& file : gathered.fetches)
    description.manifest.add(Section::kData, without_query(file.url),
                             cat(file.name, "\nsha256:", file.sha256.hex()));
  for (const char* name : {"root", "dest", "exclude"}) {
    if (const Value* value = target.find(name))
      description.manifest.add(Section::kAttr, name, digest_of(*value));
  }
  if (target.boolean_or("empty_folders", false))
    description.manifest.add(Section::kAttr, "empty_folders", "true");
  if (const auto part_bytes = part_bytes_of(target))
    description.manifest.add(Section::kAttr, "split", cat(*part_bytes));
  const Digest128 identity = tree_identity(*listing, false);
  description.manifest.add(Section::kAttr, "keys",
                           gathered.fetches.empty() ? identity : keys_identity(*listing));
  if (place) {
    description.manifest.add(Section::kAttr, "store", cat(place->name, "\n", place->service));
    description.manifest.add(Section::kAttr, "prefix", place->prefix);
    description.manifest.add(Section::kAttr, "prune", place->prune ? "true" : "false");
    if (place->snapshot) description.manifest.add(Section::kAttr, "snapshot", "true");
    TRY_ASSIGN(description.work, sync_.plan(subject, *place, listing, identity.hex()));
  }
  description.manifest.seal();
  if (gathered.is_whole) description.predicted = {{"tree", identity.hex(), "", bytes_of(*listing), ""}};
  description.looks = std::move(set.looks);
  description.notes = std::move(set.notes);
  description.carry = SharedListing(listing);
  return description;
}

// What goes wrong on the way to a store is a step that failed, not a mistake in a file.
bool DataRule::says_where(const ManifestLine& line) const {
  const bool is_of_store = line.section == Section::kAttr &&
                           (line.name == "store" || line.name == "prefix" || line.name == "prune");
  return is_of_store || Rule::says_where(line);
}

Result<Done> DataRule::execute(const Subject& subject, const Description& description, const Doing& doing) {
  Result<Done> done = send(subject, description, doing);
  if (!done && done.error().blame == Blame::kUser && !done.error().where.known())
    done.error().blame = Blame::kStep;
  return done;
}

// With what is fetched in place of its stand-ins.
Result<SharedListing> DataRule::fetched(const Target& target, const SharedListing& described,
                                        const Doing& doing) {
  std::vector<FetchedFile> files = fetches_of(target);
  if (files.empty()) return described;
  auto listing = std::make_shared<Listing>(*described);
  for (FetchedFile& file : files) {
    file.name = path_join(target.string_or("dest", ""), file.name);
    const auto listed = std::find_if(listing->begin(), listing->end(),
                                     [&](const ListedFile& each) { return each.key == file.name; });
    CHECK(listed != listing->end());
    TRY_ASSIGN(Host* const through, places_.host_of_requests());
    TRY_ASSIGN(*listed, fetcher_.get(file, target.label, doing, *through));
  }
  return SharedListing(std::move(listing));
}

Result<Done> DataRule::send(const Subject& subject, const Description& description, const Doing& doing) {
  const Target& target = subject.target();
  if (lies_in_store(services_.workspace, target)) return external_.execute(target, doing);
  TRY_ASSIGN(const SharedListing whole,
             fetched(target, std::any_cast<const SharedListing&>(description.carry), doing));
  const Listing& listing = *whole;
  if (part_bytes_of(target)) TRY(splitter_.cut(listing, target.label, doing));
  TRY_ASSIGN(const std::optional<StorePlace> place, places_.place_of(target));
  const std::string identity = tree_identity(listing, false).hex();
  Done done;
  const auto keep_tree = [&]() -> Result<void> {
    TRY_ASSIGN(const Sha256 tree,
               services_.blobs.put_pieces([&](const Blobs::Sink& sink) { return encode(listing, sink); }));
    done.artifacts.push_back({"tree", identity, tree.hex(), bytes_of(listing), cat("blob:", tree.hex())});
    return {};
  };
  if (!place) {
    TRY(keep_tree());
    done.note = cat(plural(listing.size(), "file"), ", read in place");
    return done;
  }
  // What others do not wait for is done while the first request is prepared, and on its way.
  Result<void> kept;
  std::jthread loading, keeping;
  if (place->is_local()) {
    TRY(keep_tree());
  } else {
    loading = services_.host.http.get_ready();
    keeping = std::jthread([&] { kept = keep_tree(); });
  }
  const auto heeding = place->heed(doing);
  TRY_ASSIGN(const std::optional<FileLock> held, place->hold(services_.host, target, doing));
  Result<Moved> made = sync_.run(subject, *place, listing, identity, doing);
  if (!made && place->is_local() && tells_of_full_disk(made.error())) {
    TRY_ASSIGN(const std::string freed, what_frees(*place, listing, identity));
    if (!freed.empty()) made.error().hint = freed;
  }
  TRY_ASSIGN(const Moved moved, std::move(made));
  if (keeping.joinable()) keeping.join();
  TRY(std::move(kept));
  const std::string where = place->of_content(identity).text();
  done.artifacts.push_back({"store", where, "", 0, cat("store:", where)});
  done.note = text_of(moved, place->name);
  return done;
}

// What to do where a store is full, and objects in it wait for their removal.
Result<std::string> DataRule::what_frees(const StorePlace& base, const Listing& listing,
                                         const std::string& identity) {
  if (!base.prune || base.snapshot) return std::string();
  const StorePlace place = base.of_content(identity);
  TRY_ASSIGN(const SharedLedger ledger, places_.ledger_of(place));
  const Superfluous gone = superfluous_in(ledger->mirror(), listing);
  if (gone.objects == 0) return std::string();
  return cat(plural(gone.objects, "object"), ", ", human_bytes(gone.bytes),
             ", that no file is left for would be removed last. Remove ", gone.objects == 1 ? "it" : "them",
             " there by hand, as ", quoted(place.local_path(place.key(gone.first))),
             ", or free other space; then run it again");
}

Result<std::string> DataRule::foresee_store(const Target& target) {
  if (lies_in_store(services_.workspace, target)) return cat("store:", *target.find("url")->string());
  TRY_ASSIGN(const std::optional<StorePlace> place, places_.place_of(target));
  return place ? cat("store:", place->text()) : std::string();
}

Result<std::string> DataRule::check_stored(const Target& target, const std::string& root, const Doing& doing,
                                           const Listing* files) {
  if (lies_in_store(services_.workspace, target)) return std::string(kListedMark);
  return sync_.check(target, root, doing, files);
}

// An earlier result is taken again only when what it left is still there.
Result<bool> DataRule::holds(const Subject& subject, const Record& record, bool current, Looks& looks) {
  const Artifact* tree = find_role(record.artifacts, "tree");
  const std::optional<Sha256> listing = tree == nullptr ? std::nullopt : Sha256::parse(tree->sha256);
  if (!listing) return false;
  TRY_ASSIGN(const bool listed, services_.blobs.has(*listing));
  const Target& target = subject.target();
  if (lies_in_store(services_.workspace, target))
    return listed ? external_.holds(target) : Result<bool>(false);
  TRY_ASSIGN(const std::optional<StorePlace> base, places_.place_of(target));
  for (const FetchedFile& file : fetches_of(target)) {
    TRY_ASSIGN(const std::optional<ListedFile> known, fetcher_.known(file));
    if (!known) return false;
  }
  if (listed && part_bytes_of(target)) {
    TRY_ASSIGN(const std::optional<std::string> bytes, services_.blobs.read(*listing));
    const std::optional<Listing> files = bytes ? decode_listing(*bytes) : std::nullopt;
    TRY_ASSIGN(const bool are_cut, files ? splitter_.are_cut(*files) : Result<bool>(false));
    if (!are_cut) return false;
  }
  if (!listed || !base) return listed;
  return sync_.holds(*base, target, tree->identity, current, looks);
}

}  // namespace trainmake
