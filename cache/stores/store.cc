#include "cache/stores/store.h"

#include <utility>

#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {

namespace {

std::string scheme_of(const std::string& url) { return url.substr(0, url.find(':')); }

// `s3://bucket` of `s3://bucket/prefix`: what settings are of.
std::string bucket_of(const std::string& url) {
  const std::size_t name = url.find("://");
  return name == url.npos ? url : url.substr(0, url.find('/', name + 3));
}

// Where its objects lie, as a path: a folder, or what is reached and the bucket with its prefix.
std::string root_of(const Service& service, const Store& store) {
  if (!store.traits().folder.empty()) return store.traits().folder;
  std::string_view url = *service.text("url");
  while (url.ends_with('/')) url.remove_suffix(1);
  const std::string* endpoint = service.text("endpoint");
  return cat(endpoint == nullptr ? "" : *endpoint, "\n", url);
}

// A platform's own bucket is nobody's choice here: what is declared within it says how it is reached.
bool is_of_platform(const Space& space, const Service& store) {
  const Service* platform = space.find("platform", store.name);
  return platform != nullptr && platform->where == store.where;
}

// No attribute of TRAINSPACE.lua.
constexpr const char* kAsItIsThere = " as it is there";

// One store within another: their objects would meet, and neither knows of the other's.
Result<void> check_apart(const StoreRooms& rooms, Host& host, const Workspace& workspace, const Space& space,
                         const Service& service, const Store& store, Tally& tally) {
  const std::string root = root_of(service, store);
  for (const std::string& name : space.names("store")) {
    const Service& other = *space.find("store", name);
    const std::string* url = other.text("url");
    if (name == service.name || url == nullptr || scheme_of(*url) != scheme_of(*service.text("url")))
      continue;
    if (is_of_platform(space, service) || is_of_platform(space, other)) continue;
    const auto there = make_store(rooms, host, workspace, other, tally);
    if (!there) continue;  // whoever uses that one is told
    const std::string their_root = root_of(other, **there);
    const std::string inside = path_below(their_root, root).value_or("");
    const std::string around = path_below(root, their_root).value_or("");
    if (inside.empty() && around.empty()) continue;
    const auto [inner, outer] =
        inside.empty() ? std::pair(service.name, name) : std::pair(name, service.name);
    return fail(user_error(cat("Store ", quoted(inner), " lies within store ", quoted(outer)),
                           "Choose places that are apart; a `prefix` parts the data of one store")
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
  TRY_ASSIGN(std::unique_ptr<Store> store, make_store(rooms, host, workspace, *service, tally));
  TRY(check_apart(rooms, host, workspace, space, *service, *store, tally));
  return store;
}

Result<std::unique_ptr<Store>> make_store(const StoreRooms& rooms, Host& host, const Workspace& workspace,
                                          const Service& service, Tally& tally) {
  for (const char* name : {"url", "endpoint"}) {
    const std::string* address = service.text(name);
    // What it holds is told to nobody.
    if (address != nullptr && holds_login(*address))
      return fail(
          user_error(cat("The `", name, "` of store ", quoted(service.name), " holds a login"),
                     "Take it out: keys and passwords come from the environment and the files of each "
                     "service's own tools")
              .at(service.where));
    // In the name of a folder it is a character like any other.
    if (address != nullptr && holds_query(*address) && scheme_of(*address) != "dir")
      return fail(user_error(cat("The `", name, "` of store ", quoted(service.name),
                                 " has a query: ", quoted(without_query(*address))),
                             "Leave out what follows `?` or `#`: a signature in it would be a key that "
                             "everybody reads, and each request has an address of its own")
                      .at(service.where));
  }
  const std::string& url = *service.text("url");
  std::vector<std::string> schemes;
  for (const StoreRoom& room : rooms) {
    if (room.scheme == scheme_of(url)) return room.make(host, workspace, service, tally);
    schemes.push_back(cat(room.scheme, ":"));
  }
  return fail(user_error(cat("Store ", quoted(service.name), " has a `url` of no known kind: expected ",
                             join(schemes, " or "), ", got ", quoted(url)),
                         "A bucket is `s3://name/prefix`, a folder of a web server `https://host/path`, a "
                         "mounted one `dir:/mnt/bucket`")
                  .at(service.where));
}

Service service_at(const Space& space, const std::string& url) {
  const Service* best = nullptr;
  std::size_t shared = 0;  // of the best that it lies in
  for (const std::string& name : space.names("store")) {
    const Service& each = *space.find("store", name);
    const std::string* other = each.text("url");
    if (other == nullptr || bucket_of(*other) != bucket_of(url)) continue;
    const bool is_inside = url == *other || url.starts_with(cat(*other, "/"));
    if (best != nullptr && (!is_inside || other->size() <= shared)) continue;
    best = &each;
    shared = is_inside ? other->size() : 0;
  }
  Service service = best != nullptr ? *best : Service{"store", url, {}, {}};
  Fields& fields = service.attributes.fields;
  std::erase_if(fields, [](const auto& field) { return field.first == "url" || field.first == "create"; });
  Value value;
  value.data = url;
  service.add("url", std::move(value));
  return service;
}

Service as_it_is_there(Service service) {
  Value yes;
  yes.data = true;
  service.add(kAsItIsThere, std::move(yes));
  return service;
}

bool is_as_it_is_there(const Service& service) { return service.attributes.find(kAsItIsThere) != nullptr; }

}  // namespace trainmake
