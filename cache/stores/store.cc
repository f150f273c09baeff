#include "cache/stores/store.h"

#include <utility>

#include "engine/base/text.h"

namespace trainmake {

namespace {

// One store's folder within another's: their objects would meet, and neither knows of the other's.
Result<void> check_apart(const StoreRoom& room, Host& host, const Workspace& workspace, const Space& space,
                         const Service& service, const Store& store, Tally& tally) {
  const std::string& folder = store.folder();
  for (const std::string& name : folder.empty() ? std::vector<std::string>() : space.names("store")) {
    const Service& other = *space.find("store", name);
    const std::string* url = other.text("url");
    if (name == service.name || url == nullptr || !url->starts_with(cat(room.scheme, ":"))) continue;
    const auto there = room.make(host, workspace, other, tally);
    if (!there) continue;  // whoever uses that one is told
    const std::string inside = path_below((*there)->folder(), folder).value_or("");
    const std::string around = path_below(folder, (*there)->folder()).value_or("");
    if (inside.empty() && around.empty()) continue;
    const auto [inner, outer] =
        inside.empty() ? std::pair(service.name, name) : std::pair(name, service.name);
    return fail(user_error(cat("Store ", quoted(inner), " lies within store ", quoted(outer)),
                           "Choose folders that are apart; a `prefix` parts the data of one store")
                    .at(service.where));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_store(const StoreRooms& rooms, Host& host, const Workspace& workspace,
                                          const Space& space, const std::string& name, Tally& tally) {
  const Service* service = space.find("store", name);
  if (service == nullptr) {
    const std::vector<std::string> names = space.names("store");
    const std::string meant = did_you_mean(name, names);
    return fail(user_error(
        cat("There is no store ", quoted(name)),
        meant.empty()
            ? std::string(
                  "Stores are declared in TRAINSPACE.lua: `store \"bucket\" { url = \"dir:bucket\" }`")
            : meant));
  }
  const std::string* url = service->text("url");
  if (url == nullptr)
    return fail(
        user_error(cat("Store ", quoted(name), " has no `url`"), "It looks like `url = \"dir:bucket\"`")
            .at(service->where));
  const std::string scheme = url->substr(0, url->find(':'));
  std::vector<std::string> schemes;
  for (const StoreRoom& room : rooms) {
    if (room.scheme == scheme) {
      TRY_ASSIGN(std::unique_ptr<Store> store, room.make(host, workspace, *service, tally));
      TRY(check_apart(room, host, workspace, space, *service, *store, tally));
      return store;
    }
    schemes.push_back(cat(room.scheme, ":"));
  }
  return fail(user_error(cat("Store ", quoted(name), " has a `url` of no known kind: expected ",
                             join(schemes, " or "), ", got ", quoted(*url)),
                         "A bucket is `s3://name/prefix`, a folder of a web server `https://host/path`, a "
                         "mounted one `dir:/mnt/bucket`")
                  .at(service->where));
}

}  // namespace trainmake
