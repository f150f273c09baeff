#include "cache/stores/store.h"

#include "engine/base/text.h"

namespace trainmake {

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
    if (room.scheme == scheme) return room.make(host, workspace, *service, tally);
    schemes.push_back(cat(room.scheme, ":"));
  }
  return fail(user_error(cat("Store ", quoted(name), " has a `url` of no known kind: expected ",
                             join(schemes, " or "), ", got ", quoted(*url)),
                         "Object stores are not done yet; a mounted one is a folder, as `dir:/mnt/bucket`")
                  .at(service->where));
}

}  // namespace trainmake
