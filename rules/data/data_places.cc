#include "rules/data/data_places.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "engine/base/text.h"
#include "rules/data/external.h"
#include "rules/data/ledgers.h"

namespace trainmake {
namespace {

std::string url_of(const Service& store) {
  std::string url = *store.text("url");
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// A platform's own bucket may have stores of ours in it: what is sent to the bucket stays out of those.
Result<void> check_apart(const Space& space, const Service& store, const std::string& prefix,
                         const Target& target) {
  const std::string top = url_of(store), place = path_join(top, prefix);
  for (const std::string& name : space.names("store")) {
    const Service& other = *space.find("store", name);
    if (other.text("url") == nullptr || path_below(url_of(other), top).value_or("").empty()) continue;
    if (!path_below(place, url_of(other)) && !path_below(url_of(other), place)) continue;
    return fail(user_error(cat(quoted(target.label.text()), " would lie in ", quoted(place), ", where store ",
                               quoted(name), " is"),
                           cat("Send it there, with `store = \"", name, "\"`, or give it another `prefix`"))
                    .at(target.place_of("prefix")));
  }
  return {};
}

}  // namespace

std::string service_of_places(const Service& service) {
  const std::string* endpoint = service.text("endpoint");
  return cat(*service.text("url"), "\n", endpoint == nullptr ? "" : *endpoint);
}

Result<Host*> DataPlaces::host_of_stores() {
  const Service* limits = services_.space.find("limits", "");
  if (limits == nullptr) return &services_.host;
  if (host_of_stores_) return &*host_of_stores_;
  constexpr unsigned kAny = std::numeric_limits<unsigned>::max();
  TRY_ASSIGN(const SendLimits sends, read_send_limits(*limits, {kAny, 0}));
  Host& host = services_.host;
  paced_http_.emplace(host.http, host.clock, sends);
  host_of_stores_.emplace(Host{host.files, host.processes, *paced_http_, host.clock, host.environment});
  return &*host_of_stores_;
}

Result<Host*> DataPlaces::host_of_requests() {
  const std::lock_guard lock(mutex_);
  return host_of_stores();
}

Result<std::optional<StorePlace>> DataPlaces::place_of(const Target& target) {
  // What lies somewhere already is sent where it is said to go, and nowhere else.
  const std::string name =
      target.string_or("store", is_external(target) ? "" : services_.space.default_store);
  if (name.empty()) return std::optional<StorePlace>();
  auto prefix = clean_prefix(target.string_or("prefix", path_join(target.label.folder, target.label.name)));
  if (!prefix) return fail(std::move(prefix).error().at(target.place_of("prefix")));
  const std::lock_guard lock(mutex_);
  auto store = open(name);
  if (!store) {
    Error error = std::move(store).error();
    if (!error.where.known()) error.where = target.place_of("store");
    return fail(std::move(error));
  }
  const Service& service = *services_.space.find("store", name);
  TRY(check_apart(services_.space, service, *prefix, target));
  return std::optional(StorePlace{*std::move(store), name, service_of_places(service), *std::move(prefix),
                                  target.boolean_or("prune", true), target.boolean_or("snapshot", false)});
}

Result<std::shared_ptr<Store>> DataPlaces::open(const std::string& name) {
  std::shared_ptr<Store>& store = stores_[name];
  if (store) return store;
  TRY_ASSIGN(Host* const host, host_of_stores());
  TRY_ASSIGN(store,
             open_store(services_.rooms, *host, services_.workspace, services_.space, name, services_.tally));
  return store;
}

Result<std::shared_ptr<Store>> DataPlaces::store_named(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return open(name);
}

Result<std::unique_ptr<Store>> DataPlaces::store_at(const Service& service) {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(Host* const host, host_of_stores());
  return make_store(services_.rooms, *host, services_.workspace, service, services_.tally);
}

Result<SharedLedger> DataPlaces::ledger_of(const StorePlace& place) {
  const std::lock_guard lock(mutex_);
  SharedLedger& ledger = ledgers_[place.identity()];
  if (ledger) return ledger;
  auto loaded = std::make_shared<Ledger>(services_.host.files, services_.workspace.cache, place.identity());
  TRY(loaded->load());
  return ledger = std::move(loaded);
}

void DataPlaces::let_go_of_ledger(const StorePlace& place) {
  const std::lock_guard lock(mutex_);
  ledgers_.erase(place.identity());
}

Result<void> DataPlaces::look_again_if_free(const StorePlace& place, const Target& target, Ledger& ledger) {
  if (!place.is_local()) return {};
  TRY_ASSIGN(const std::string tag, place.local_tag());
  if (tag.empty()) TRY(check_mounted(place, target, ledger));
  if (ledger.is_known() && ledger.tag() == tag) return {};
  TRY_ASSIGN(StorePlace::Seen seen, place.read(target));
  ledger.adopt(ledger.recall(std::move(seen.mirror), owner_text(target.label), owner_text(target.project)),
               std::move(seen.tag));
  return {};
}

// A file system that is not mounted leaves an empty folder, or none: what is sent would fill the disk below.
// A folder of the workspace is none.
Result<void> DataPlaces::check_mounted(const StorePlace& place, const Target& target,
                                       const Ledger& ledger) const {
  FileSystem& files = services_.host.files;
  TRY_ASSIGN(const std::string folder, follow_links(files, place.store->traits().folder));
  TRY_ASSIGN(const std::string root, follow_links(files, services_.workspace.root));
  if (path_below(folder, root).has_value()) return {};
  TRY_ASSIGN(const Stat stat, files.look(folder, Links::kFollow));
  const bool is_there = stat.is(FileKind::kFolder);
  std::vector<FolderEntry> entries;
  if (is_there) {
    TRY_ASSIGN(entries, files.list(folder));
    std::erase_if(entries, [](const FolderEntry& entry) { return entry.name == "lost+found"; });
  }
  if (!entries.empty()) return {};
  // That all of it is to be sent again was said.
  const bool is_healed = ledger.is_known() && ledger.mirror().objects.empty();
  TRY_ASSIGN(const std::vector<std::string> places,
             latest_places(services_.host.files, services_.workspace.cache, SIZE_MAX));
  const std::string of_this_store = cat(place.service, "\n");
  const bool was_sent_to = std::any_of(places.begin(), places.end(), [&](const std::string& identity) {
    return identity.starts_with(of_this_store);
  });
  if (is_healed || !was_sent_to) return {};
  return fail(user_error(cat("The folder of store ", quoted(place.name), ", ", quoted(folder), ", is ",
                             is_there ? "empty" : "not there", ", and something was sent there before"),
                         cat("Mount what belongs there; if it is to be filled anew, make a folder ",
                             shell_word(path_join(folder, ".trainmake"))))
                  .at(target.place_of("store"))
                  .because(Blame::kRemote));
}

Ledger DataPlaces::ledger_as_kept(const StorePlace& place) const {
  return {services_.host.files, services_.workspace.cache, place.identity()};
}

std::vector<std::string> DataPlaces::latest_kept(std::size_t most) const {
  return latest_places(services_.host.files, services_.workspace.cache, most)
      .value_or(std::vector<std::string>());
}

Ledger DataPlaces::latest_snapshot(const StorePlace& place) const {
  return {services_.host.files, services_.workspace.cache, cat(place.identity(), "\nlatest")};
}

}  // namespace trainmake
