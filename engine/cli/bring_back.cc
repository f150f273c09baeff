#include "engine/cli/bring_back.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/base/text.h"
#include "rules/job/in_place.h"

namespace trainmake {
namespace {

using Blob = std::optional<Sha256>;

// A file that is to be found again.
struct Wanted {
  GivenTree* tree;
  std::size_t at;  // in its files
  std::string path;
  Blob found = std::nullopt;

  const ListedFile& file() const { return (*tree->files)[at]; }
};

Result<std::vector<Wanted>> changed_files(Session& session, std::vector<GivenTree>& data) {
  TRY_ASSIGN(const InPlace found, look_in_place(session.host(), session.workspace(), session.digests(), data,
                                                {session.host().clock.now_ns()}));
  const std::set<std::string> changed(found.changed.begin(), found.changed.end());
  std::vector<Wanted> all;
  for (GivenTree& tree : data) {
    TRY_ASSIGN(const Label label, parse_label(tree.label, ""));
    for (std::size_t i = 0; i < tree.files->size(); ++i) {
      const std::string& source = (*tree.files)[i].source;
      const std::string path = path_below(source, label.folder).value_or(source);
      if (!source.empty() && changed.contains(path)) all.push_back({&tree, i, path});
    }
  }
  return all;
}

Result<Digest128> content_of(FileSystem& files, const std::string& path, const std::stop_token& stop) {
  ContentHasher hasher;
  TRY(read_pieces(files, path, stop, [&](std::string_view bytes) {
    hasher.add(bytes);
    return Result<void>();
  }));
  return hasher.finish();
}

// Those of a size alone are read: what another run left, what was fetched, and what was code.
Result<void> find_blobs(Session& session, std::vector<Wanted>& wanted, const std::stop_token& stop) {
  std::set<std::uint64_t> sizes;
  for (const Wanted& each : wanted) sizes.insert(each.file().size);
  std::vector<Sha256> alike;
  TRY(session.blobs().each([&](const Sha256& digest, const Stat& stat) {
    if (sizes.contains(stat.size)) alike.push_back(digest);
  }));
  for (const Sha256& digest : alike) {
    TRY_ASSIGN(const Digest128 content, content_of(session.host().files, session.blobs().path(digest), stop));
    for (Wanted& each : wanted) {
      if (!each.found && each.file().content == content) each.found = digest;
    }
  }
  return {};
}

// Where data was sent to: store and prefix. The place of the very tree first.
using Places = std::vector<std::pair<std::string, std::string>>;
Result<Places> places_of(State& state, const GivenTree& tree) {
  constexpr std::string_view kStore = "store:";
  Places places;
  TRY(state.each_record([&](const Record& record, bool) {
    const Artifact* sent = find_role(record.artifacts, "store");
    if (sent == nullptr || record.label.text() != tree.label || !sent->address.starts_with(kStore)) return;
    const std::string place = sent->address.substr(kStore.size());
    const std::size_t slash = place.find('/');
    if (slash == place.npos || place.find("://") != place.npos) return;
    const Artifact* identity = find_role(record.artifacts, "tree");
    const bool is_it = identity != nullptr && identity->identity == tree.identity;
    places.insert(is_it ? places.begin() : places.end(), {place.substr(0, slash), place.substr(slash + 1)});
  }));
  Places once;
  for (const auto& place : places) {
    if (std::find(once.begin(), once.end(), place) == once.end()) once.push_back(place);
  }
  return once;
}

// Nothing of what lies there as something else.
Result<Blob> get(Store& store, const std::string& key, const ListedFile& file, Blobs& blobs,
                 const std::stop_token& stop) {
  TRY_ASSIGN(const std::optional<StoredObject> there, store.look(key));
  if (!there || there->size != file.size || (there->content && *there->content != file.content))
    return Blob();
  ContentHasher hasher;
  ReadEnd end = ReadEnd::kWhole;
  TRY_ASSIGN(const Sha256 blob, blobs.put_pieces([&](const Blobs::Sink& sink) -> Result<void> {
    TRY_ASSIGN(end, store.read(
                        {key, there->tag, there->size},
                        [&](std::string_view bytes) {
                          hasher.add(bytes);
                          return sink(bytes);
                        },
                        stop));
    return {};
  }));
  return end == ReadEnd::kWhole && hasher.finish() == file.content ? Blob(blob) : Blob();
}

// One that cannot be asked is told of when what is wanted is nowhere else.
class Stores {
 public:
  Stores(Session& session, BroughtBack& back, std::stop_token stop)
      : session_(session), back_(back), stop_(std::move(stop)) {}

  Result<void> find(Wanted& wanted) {
    TRY_ASSIGN(const Places* const places, places_of_tree(*wanted.tree));
    for (const auto& [name, prefix] : *places) {
      TRY_ASSIGN(Store * store, open(name));
      if (store == nullptr) continue;
      auto blob = get(*store, path_join(prefix, wanted.file().key), wanted.file(), session_.blobs(), stop_);
      if (!blob && blob.error().blame == Blame::kInterrupted) return fail(std::move(blob).error());
      if (!blob) back_.trouble = blob.error().message;
      if (blob && *blob) {
        wanted.found = *blob;
        return {};
      }
    }
    return {};
  }

 private:
  Result<const Places*> places_of_tree(const GivenTree& tree) {
    const auto [entry, is_new] = places_.try_emplace(&tree);
    if (is_new) {
      TRY_ASSIGN(entry->second, places_of(session_.state(), tree));
    }
    return &entry->second;
  }

  // nullptr when it cannot be asked.
  Result<Store*> open(const std::string& name) {
    const auto [entry, is_new] = stores_.try_emplace(name);
    if (!is_new) return entry->second.get();
    back_.stores.push_back(name);
    TRY_ASSIGN(const Space* space, session_.space());
    auto store = open_store(session_.store_rooms(), session_.host(), session_.workspace(), *space, name,
                            session_.tally());
    if (store)
      entry->second = *std::move(store);
    else
      back_.trouble = store.error().message;
    return entry->second.get();
  }

  Session& session_;
  BroughtBack& back_;
  std::stop_token stop_;
  std::map<const GivenTree*, Places> places_;
  std::map<std::string, std::unique_ptr<Store>> stores_;
};

// Its list says so, too: whoever takes the run up reads the same.
Result<void> take_blobs(Session& session, GivenTree& tree, const std::vector<Wanted>& wanted) {
  auto files = std::make_shared<Listing>(*tree.files);
  for (const Wanted& each : wanted) {
    if (each.tree != &tree || !each.found) continue;
    ListedFile& file = (*files)[each.at];
    file.source.clear();
    file.sha256 = *each.found;
  }
  TRY_ASSIGN(const Sha256 listing, session.blobs().put(encode(*files)));
  tree.listing = listing.hex();
  tree.files = std::move(files);
  return {};
}

}  // namespace

Result<BroughtBack> bring_back(Session& session, std::vector<GivenTree>& data, const std::stop_token& stop) {
  BroughtBack back;
  TRY_ASSIGN(std::vector<Wanted> wanted, changed_files(session, data));
  if (wanted.empty()) return back;
  TRY(find_blobs(session, wanted, stop));
  Stores stores(session, back, stop);
  for (Wanted& each : wanted) {
    if (!each.found) TRY(stores.find(each));
    if (each.found)
      ++back.files;
    else
      back.gone.push_back(each.path);
  }
  for (GivenTree& tree : data) {
    const bool has_some = std::any_of(wanted.begin(), wanted.end(),
                                      [&](const Wanted& each) { return each.tree == &tree && each.found; });
    if (has_some) TRY(take_blobs(session, tree, wanted));
  }
  return back;
}

}  // namespace trainmake
