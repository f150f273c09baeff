#include "rules/data/data_places.h"

#include <limits>

#include "engine/base/text.h"
#include "rules/data/external.h"

namespace trainmake {

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

Result<std::optional<StorePlace>> DataPlaces::place_of(const Target& target) {
  // What lies somewhere already is not sent anywhere.
  const std::string name =
      is_external(target) ? "" : target.string_or("store", services_.space.default_store);
  if (name.empty()) return std::optional<StorePlace>();
  auto prefix = clean_prefix(target.string_or("prefix", path_join(target.label.folder, target.label.name)));
  if (!prefix) return fail(std::move(prefix).error().at(target.place_of("prefix")));
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Store>& store = stores_[name];
  if (!store) {
    TRY_ASSIGN(Host* const host, host_of_stores());
    Result<std::unique_ptr<Store>> opened =
        open_store(services_.rooms, *host, services_.workspace, services_.space, name, services_.tally);
    if (!opened) {
      Error error = std::move(opened).error();
      if (!error.where.known()) error.where = target.place_of("store");
      return fail(std::move(error));
    }
    store = *std::move(opened);
  }
  const Service& service = *services_.space.find("store", name);
  const std::string* endpoint = service.text("endpoint");
  std::string where = cat(*service.text("url"), "\n", endpoint == nullptr ? "" : *endpoint);
  return std::optional(StorePlace{store, name, std::move(where), *std::move(prefix),
                                  target.boolean_or("prune", true), target.boolean_or("snapshot", false)});
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
  if (ledger.is_known() && ledger.tag() == tag) return {};
  TRY_ASSIGN(StorePlace::Seen seen, place.read(target));
  ledger.adopt(std::move(seen.mirror), std::move(seen.tag));
  return {};
}

Ledger DataPlaces::ledger_as_kept(const StorePlace& place) const {
  return {services_.host.files, services_.workspace.cache, place.identity()};
}

Ledger DataPlaces::latest_snapshot(const StorePlace& place) const {
  return {services_.host.files, services_.workspace.cache, cat(place.identity(), "\nlatest")};
}

}  // namespace trainmake
