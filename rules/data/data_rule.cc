#include "rules/data/data_rule.h"

#include <algorithm>
#include <memory>
#include <set>
#include <thread>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "rules/data/catch_up.h"
#include "rules/data/transfer.h"

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
          {"tags", Shape::kStringList, "Words to find it by", false, Effect::kNone},
          {"notes", Shape::kString, "A remark", false, Effect::kNone},
      }};
}

constexpr std::size_t kListedAtOnce = 8;  // targets

std::uint64_t bytes_of(const Listing& listing) {
  std::uint64_t bytes = 0;
  for (const ListedFile& file : listing) bytes += file.size;
  return bytes;
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

// A snapshot has everything anew, and most of it lies in the one before.
std::uint64_t worth_copying(const StorePlace& place) { return place.snapshot ? 1 : kWorthCopying; }

// Whether a folder gets its first key: only there can another target's place be.
bool has_new_folder(const MirrorChange& changed, const Mirror& there) {
  if (there.target.empty()) return true;
  std::set<std::string_view> folders;  // of keys that are not there yet
  for (const ListedFile* file : changed.send) {
    if (find_object(there, file->key) == nullptr) folders.insert(path_folder(file->key));
  }
  if (folders.empty()) return false;
  for (const MirrorObject& object : there.objects) folders.erase(path_folder(object.key));
  return !folders.empty();
}

}  // namespace

DataRule::DataRule(const DataServices& services)
    : services_(services),
      places_({services.host, services.workspace, services.space, services.store_rooms, services.tally}),
      fetcher_(services.host, services.workspace, services.blobs),
      external_({services.host, services.workspace, services.space, services.store_rooms, services.tally},
                places_, services.blobs) {}

const Schema& data_schema() {
  static const Schema schema = make_schema();
  return schema;
}

// What lies in a store is another thing as soon as somebody else changes it.
std::vector<std::pair<Error, Label>> DataRule::settle(const Graph& graph, const EventSink& events) {
  std::vector<const Target*> asked;
  for (const Target& target : graph.targets) {
    const bool is_ours = target.label.kind != "data" || !lies_in_store(services_.workspace, target);
    if (!is_ours && target.find("digest") == nullptr && check_external(target)) asked.push_back(&target);
  }
  std::mutex mutex;
  std::vector<std::pair<Error, Label>> errors;
  (void)at_once(asked.size(), kListedAtOnce, [&](std::size_t i) -> Result<void> {
    const Target& target = *asked[i];
    events(Progress{target.label, "listing", 0, 0, false});
    Result<SharedExternalList> list = external_.look_again(target);
    const std::lock_guard lock(mutex);
    if (!list) errors.emplace_back(std::move(list).error(), target.label);
    return {};
  });
  return errors;
}

Result<Description> DataRule::describe_external(const Target& target) {
  const std::string& url = *target.find("url")->string();
  const std::string pin = target.string_or("digest", "");
  TRY_ASSIGN(SharedExternalList list, external_.known(target));
  if (list && !pin.empty() && digest_of_list(*list) != pin) list = nullptr;
  Description description;
  Manifest& manifest = description.manifest;
  const auto listing =
      std::make_shared<const Listing>(list ? listing_of(*list, target.string_or("dest", "")) : Listing());
  if (!pin.empty())
    manifest.add(Section::kData, url, cat("sha256:", pin));
  else if (list)
    for (std::size_t i = 0; i < list->size(); ++i)
      manifest.add(Section::kData, (*list)[i].key, (*listing)[i].content);
  else
    description.notes.push_back(cat("What lies in ", quoted(url), " was never asked for: a run asks"));
  description.certain = list != nullptr || !pin.empty();
  for (const char* name : {"url", "dest"}) {
    if (const Value* value = target.find(name)) manifest.add(Section::kAttr, name, digest_of(*value));
  }
  const Service service = service_at(services_.space, url);
  if (const std::string* endpoint = service.text("endpoint"))
    manifest.add(Section::kAttr, "store", *endpoint);
  manifest.seal();
  if (list) {
    description.predicted = {{"tree", tree_identity(*listing, false).hex(), "", bytes_of(*listing), ""}};
    description.carry = SharedListing(listing);
  }
  description.looks.asked = pin.empty();
  return description;
}

Result<Done> DataRule::list_external(const Target& target, const Doing& doing) {
  const bool is_pinned = target.find("digest") != nullptr;
  TRY_ASSIGN(SharedExternalList list, is_pinned ? external_.pinned(target) : external_.known(target));
  CHECK(list != nullptr);
  if (!services_.jobs_read_stores) {
    TRY_ASSIGN(list, external_.bring_here(target, list, doing));
  }
  const Listing listing = listing_of(*list, target.string_or("dest", ""));
  TRY_ASSIGN(const Sha256 tree, services_.blobs.put(encode(listing)));
  const std::uint64_t bytes = bytes_of(listing);
  const std::string& url = *target.find("url")->string();
  Done done;
  done.artifacts = {
      {"tree", tree_identity(listing, false).hex(), tree.hex(), bytes, cat("blob:", tree.hex())},
      {"store", url, "", 0, cat("store:", url)}};
  done.note = cat(plural(listing.size(), "object"), ", ", human_bytes(bytes), " in ", url);
  return done;
}

Result<bool> DataRule::external_holds(const Target& target) {
  if (services_.jobs_read_stores) return true;
  TRY_ASSIGN(const SharedExternalList list, external_.known(target));
  return list ? external_.is_here(*list) : Result<bool>(false);
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
                                 target.boolean_or("empty_folders", false)};
    TRY_ASSIGN(gathered.set, services_.file_sets.read(request));
  } else if (target.find("files") != nullptr) {
    FileSetRequest request{target.label.folder,
                           target.find("files"),
                           {},
                           target.string_or("dest", ""),
                           Links::kFollow,
                           false,
                           target.place_of("files"),
                           target.boolean_or("empty_folders", false)};
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
  return gathered;
}

Result<Description> DataRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  TRY(check_external(target));
  if (lies_in_store(services_.workspace, target)) return describe_external(target);
  Result<std::optional<StorePlace>> found = places_.place_of(target);
  std::jthread loading;  // of what will be asked for; a snapshot's is told by its content
  if (found && *found && !(*found)->is_local() && !(*found)->snapshot)
    loading = std::jthread([this, &found] { (void)places_.ledger_of(**found); });
  TRY_ASSIGN(Gathered gathered, gather(target));
  FileSet& set = gathered.set;
  if (loading.joinable()) loading.join();
  TRY_ASSIGN(const std::optional<StorePlace> place, std::move(found));
  const auto listing = std::make_shared<const Listing>(std::move(set.files));

  if (place && std::any_of(listing->begin(), listing->end(),
                           [](const ListedFile& file) { return is_own_key(file.key); }))
    return fail(user_error(cat("Keys of ", quoted(target.label.text()),
                               " lie below `.trainmake`, which is "
                               "trainmake's own in a store"),
                           "Choose another `dest`")
                    .at(target.place_of("dest")));

  Description description;
  description.manifest.reserve(listing->size() + gathered.fetches.size() + 8);
  auto path = set.paths.begin();  // of files here, in their order
  for (const ListedFile& file : *listing) {
    if (!file.source.empty() || is_folder(file.key))
      description.manifest.add(Section::kData, *path++, file.content);
  }
  for (const FetchedFile& file : gathered.fetches)
    description.manifest.add(Section::kData, without_query(file.url),
                             cat(file.name, "\nsha256:", file.sha256.hex()));
  for (const char* name : {"root", "dest"}) {
    if (const Value* value = target.find(name))
      description.manifest.add(Section::kAttr, name, digest_of(*value));
  }
  if (target.boolean_or("empty_folders", false))
    description.manifest.add(Section::kAttr, "empty_folders", "true");
  const Digest128 identity = tree_identity(*listing, false);
  description.manifest.add(Section::kAttr, "keys",
                           gathered.fetches.empty() ? identity : keys_identity(*listing));
  if (place) {
    description.manifest.add(Section::kAttr, "store", cat(place->name, "\n", place->service));
    description.manifest.add(Section::kAttr, "prefix", place->prefix);
    description.manifest.add(Section::kAttr, "prune", place->prune ? "true" : "false");
    if (place->snapshot) description.manifest.add(Section::kAttr, "snapshot", "true");
    TRY(claims_.claim(*place, target, listing));
    const StorePlace now = place->of_content(identity.hex());
    TRY_ASSIGN(const SharedLedger ledger, places_.ledger_of(now));
    TRY(places_.look_again_if_free(now, target, *ledger));
    // What only asking tells is taken for all that it can be.
    const MirrorChange changed = change(*listing, ledger->mirror(), place->prune);
    description.work.objects = changed.send.size();
    description.work.object_bytes = changed.bytes;
    borrowings_.plan(target.label, find_elsewhere(places_, subject, *place, changed, worth_copying(*place)));
  }
  description.manifest.seal();
  if (gathered.is_whole) description.predicted = {{"tree", identity.hex(), "", bytes_of(*listing), ""}};
  description.looks = std::move(set.looks);
  description.notes = std::move(set.notes);
  description.carry = SharedListing(listing);
  return description;
}

// What goes wrong on the way to a store is a step that failed, not a mistake in a file.
Result<Done> DataRule::execute(const Subject& subject, const Description& description, const Doing& doing) {
  Result<Done> done = send(subject, description, doing);
  if (!done && done.error().blame == Blame::kUser && !done.error().where.known())
    done.error().blame = Blame::kStep;
  return done;
}

// With what is fetched in place of its stand-ins.
Result<DataRule::SharedListing> DataRule::fetched(const Target& target, const SharedListing& described,
                                                  const Doing& doing) {
  std::vector<FetchedFile> files = fetches_of(target);
  if (files.empty()) return described;
  auto listing = std::make_shared<Listing>(*described);
  for (FetchedFile& file : files) {
    file.name = path_join(target.string_or("dest", ""), file.name);
    const auto listed = std::find_if(listing->begin(), listing->end(),
                                     [&](const ListedFile& each) { return each.key == file.name; });
    CHECK(listed != listing->end());
    TRY_ASSIGN(*listed, fetcher_.get(file, target.label, doing));
  }
  return SharedListing(std::move(listing));
}

Result<Done> DataRule::send(const Subject& subject, const Description& description, const Doing& doing) {
  const Target& target = subject.target();
  if (lies_in_store(services_.workspace, target)) return list_external(target, doing);
  TRY_ASSIGN(const SharedListing whole,
             fetched(target, std::any_cast<const SharedListing&>(description.carry), doing));
  const Listing& listing = *whole;
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
  place->store->heed(doing.stop);
  TRY_ASSIGN(const std::optional<FileLock> held, place->hold(services_.host, target, doing));
  Result<MirrorChange> made = make_so(subject, *place, listing, identity, doing);
  borrowings_.end(target.label);
  places_.let_go_of_ledger(place->of_content(identity));  // it is large, and was of use until now
  TRY_ASSIGN(const MirrorChange changed, std::move(made));
  if (keeping.joinable()) keeping.join();
  TRY(std::move(kept));
  const std::string where = place->of_content(identity).text();
  done.artifacts.push_back({"store", where, "", 0, cat("store:", where)});
  done.note =
      cat(plural(changed.send.size(), "object"), ", ", human_bytes(changed.bytes), " to ", place->name);
  return done;
}

// Until what lies there is what should: whenever somebody else wrote there meanwhile, what differs now is
// another.
Result<MirrorChange> DataRule::make_so(const Subject& subject, const StorePlace& base, const Listing& listing,
                                       const std::string& root, const Doing& doing) {
  constexpr int kMostAttempts = 20;
  const Target& target = subject.target();
  const StorePlace place = base.of_content(root);
  TRY_ASSIGN(const SharedLedger shared, places_.ledger_of(place));
  Ledger& ledger = *shared;
  TRY(places_.look_again_if_free(place, target, ledger));
  std::set<std::string> doubted;  // whose they are, nobody knows
  std::optional<MirrorChange> first;
  const std::shared_ptr<const LikeObjects> others = borrowings_.begin(target.label);
  const bool knows_the_place = ledger.has_written() || services_.may_prune;
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    // What was being removed when a transfer was cut may be somebody else's by now.
    if (!ledger.is_known() || has_removals(ledger.mirror()) || (doing.afresh && attempt == 0))
      TRY(catch_up(services_.host, place, target, listing, ledger, doing));
    if (doing.afresh && attempt == 0) {  // what it says of its objects may not be so any more
      for (const MirrorObject& object : ledger.mirror().objects) doubted.insert(object.key);
    }
    ledger.doubt(doubted);
    const MirrorChange changed = change(listing, ledger.mirror(), place.prune);
    if (!first) first = changed;
    if (changed.empty() && ledger.mirror().root == root && !ledger.owes_settling() &&
        ledger.mirror().unsettled.empty())
      return *std::move(first);
    if (!knows_the_place) TRY(check_removals(changed, place, target));
    if (!changed.empty()) TRY(wait_for_readers(place, target, doing));
    const TransferOf of{
        services_.host, services_.workspace, services_.blobs,     place, ledger, target.label, listing, root,
        *others,        borrowings_,         worth_copying(place)};
    Transfer transfer(of, changed);
    TRY_ASSIGN(bool is_done, announce(transfer, place, target, listing, changed, ledger, doing));
    if (is_done) {
      TRY_ASSIGN(is_done, transfer.run(doing));
      if (!is_done) {
        for (const ListedFile* file : changed.send) doubted.insert(file->key);
      }
    }
    if (is_done && place.snapshot) TRY(places_.latest_snapshot(base).save(ledger.mirror(), ledger.tag()));
    if (is_done) return *std::move(first);
    TRY(ledger.forget());
  }
  return fail(step_error(cat("Others keep sending to ", quoted(place.text())),
                         "Give each who sends a `prefix` of its own")
                  .because(Blame::kBusy));
}

// What lies there and was never sent from here may be of somebody who has more files than this checkout, or
// of another project altogether.
Result<void> DataRule::check_removals(const MirrorChange& changed, const StorePlace& place,
                                      const Target& target) {
  const std::size_t count = changed.remove.size() + changed.make_way.size();
  if (count == 0) return {};
  const std::string& one = changed.remove.empty() ? changed.make_way.front() : changed.remove.front();
  const std::string label = target.label.shortest_from(services_.workspace.here);
  return fail(
      step_error(cat(quoted(place.text()), " has ", plural(count, "object"), " that ", quoted(label),
                     " has no file for, as ", quoted(one), ", and nothing was sent there from here before"),
                 cat("`trainmake ", shell_word(label), " --prune` removes ", count == 1 ? "it" : "them",
                     "; `prune = false` leaves what is there; another `prefix` is a place of its own"))
          .at(target.where));
}

// What was submitted is what runs. Each content of a snapshot has a place of its own, which nobody reads yet.
Result<void> DataRule::wait_for_readers(const StorePlace& place, const Target& target, const Doing& doing) {
  if (place.snapshot || !services_.reader_of) return {};
  constexpr std::chrono::milliseconds kFirstPause{1000}, kLongestPause{30'000};
  std::string told;  // of which run
  for (std::chrono::milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    TRY_ASSIGN(const std::optional<Run> reader, services_.reader_of(cat("store:", place.text()), doing));
    if (!reader) return {};
    const std::string job = quoted(reader->label.shortest_from(services_.workspace.here));
    const std::string reads =
        cat("Run ", reader->id, " of ", job, " reads what lies in ", quoted(place.text()));
    if (!doing.wait)
      return fail(
          step_error(cat(reads, ", so it is not changed now"),
                     "With `--wait` its end is waited for; `snapshot = true` gives each content a place "
                     "of its own")
              .at(target.where)
              .because(Blame::kBusy));
    if (told != reader->id)
      doing.events(Message{target.label, cat(reads,
                                             ": waiting for its end. `--no-wait` leaves instead, and "
                                             "`snapshot = true` gives each content a place of its own")});
    told = reader->id;
    if (services_.host.clock.wait(pause, doing.stop)) return fail(interrupted_error());
  }
}

// One look at the manifest object; only when that is another than we left is it read.
Result<void> DataRule::check_stored(const Target& target, const std::string& root) {
  TRY_ASSIGN(const std::optional<StorePlace> base, places_.place_of(target));
  if (!base) return {};
  const StorePlace place = base->of_content(root);
  TRY_ASSIGN(const SharedLedger ledger, places_.ledger_of(place));
  TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(place.manifest_key()));
  const bool is_ours = ledger->is_known() && ledger->mirror().root == root;
  if (there && is_ours && there->tag == ledger->tag()) return {};
  TRY_ASSIGN(const StorePlace::Seen seen, place.read(target));
  if (seen.mirror.root == root && seen.mirror.unsettled.empty()) return {};
  const std::string label = target.label.shortest_from(services_.workspace.here);
  return fail(
      user_error(cat("What lies in ", quoted(place.text()), " is not what ", quoted(label), " was sent as: ",
                     seen.tag.empty() ? "somebody emptied it" : "somebody else sent there since"),
                 cat("`trainmake data verify --heal ", shell_word(label), "` sends what differs"))
          .at(target.where)
          .because(Blame::kRemote));
}

Result<bool> DataRule::announce(Transfer& transfer, const StorePlace& place, const Target& target,
                                const Listing& listing, const MirrorChange& changed, const Ledger& ledger,
                                const Doing& doing) {
  const std::lock_guard among_ours(announcing_);
  TRY_ASSIGN(const std::optional<FileLock> alone, place.hold_store(services_.host, target, doing));
  if (has_new_folder(changed, ledger.mirror()) || !changed.remove.empty() || !changed.make_way.empty())
    TRY(place.check_neighbours(target, listing, changed));
  return transfer.announce();
}

// An earlier result is taken again only when the store still holds it, as far as can be told without asking;
// a machine that knows nothing asks once.
Result<bool> DataRule::holds(const Subject& subject, const Record& record, bool, Looks& looks) {
  const Artifact* tree = find_role(record.artifacts, "tree");
  const std::optional<Sha256> listing = tree == nullptr ? std::nullopt : Sha256::parse(tree->sha256);
  if (!listing) return false;
  TRY_ASSIGN(const bool listed, services_.blobs.has(*listing));
  const Target& target = subject.target();
  if (lies_in_store(services_.workspace, target))
    return listed ? external_holds(target) : Result<bool>(false);
  TRY_ASSIGN(const std::optional<StorePlace> base, places_.place_of(target));
  for (const FetchedFile& file : fetches_of(target)) {
    TRY_ASSIGN(const std::optional<ListedFile> known, fetcher_.known(file));
    if (!known) return false;
  }
  if (!listed || !base) return listed;
  const StorePlace place = base->of_content(tree->identity);
  TRY_ASSIGN(const SharedLedger ledger, places_.ledger_of(place));
  std::vector<std::pair<std::string, Stat>> told_by = ledger->seen();
  if (place.is_local()) {
    const std::string path = place.local_path(place.manifest_key());
    TRY_ASSIGN(const Stat stat, services_.host.files.look(path));
    told_by = {{path, stat}};
  }
  for (const auto& [path, stat] : told_by)
    looks.files.push_back({path_below(path, services_.workspace.root).value_or(path), stat});
  TRY(places_.look_again_if_free(place, target, *ledger));
  const auto is_as_recorded = [&](const Mirror& there) {
    return there.root == tree->identity && there.unsettled.empty();
  };
  if (ledger->is_known()) return is_as_recorded(ledger->mirror());
  TRY_ASSIGN(StorePlace::Seen seen, place.read(target));
  if (!is_as_recorded(seen.mirror)) return false;
  TRY(ledger->save(std::move(seen.mirror), std::move(seen.tag)));
  return true;
}

}  // namespace trainmake
