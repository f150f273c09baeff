#include "rules/job/platforms/uai/uai_options.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "cache/stores/bucket_place.h"
#include "cache/stores/store.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "engine/cloud/ucloud_account.h"
#include "rules/job/platforms/uai/uhub.h"

namespace trainmake {
namespace {

constexpr std::string_view kUfile = "ufile://";

// Of the API's region that of the object store, whose Beijing has no number.
std::string storage_region_of(const Service& platform) {
  const std::string region = platform.text_or("region", UaiOptions().region);
  return region.starts_with("cn-bj") ? "cn-bj" : region;
}

void set(Service& service, const char* name, std::string text) {
  Value value;
  value.data = std::move(text);
  service.add(name, std::move(value));
}

void set_true(Service& service, const char* name) {
  Value value;
  value.data = true;
  service.add(name, std::move(value));
}

// A name that nobody has.
std::string free_name(const Space& space, std::string_view kind, const std::string& wanted) {
  return space.find(kind, wanted) == nullptr ? wanted : cat(wanted, " of the platform");
}

// As docker names a repository, whatever stands before the host.
std::string without_scheme(const std::string& url) {
  const std::size_t scheme = url.find("://");
  std::string rest = scheme == url.npos ? url : url.substr(scheme + 3);
  while (rest.ends_with('/')) rest.pop_back();
  return rest;
}

bool is_at_uhub(const Service& registry) {
  const std::string url = without_scheme(registry.text_or("url", ""));
  return is_uhub(std::string_view(url).substr(0, url.find('/')));
}

// What the platform says and the store does not.
void tell_of_account(const Service& platform, Service& store,
                     std::initializer_list<std::pair<const char*, const char*>> alike) {
  for (const auto& [its, ours] : alike) {
    if (const std::string said = platform.text_or(its, ""); !said.empty()) set(store, ours, said);
  }
}

Service own_bucket(const Service& platform, const Space& space, const std::string& bucket) {
  Service store = service_at(space, cat(kUfile, bucket));
  set(store, "region", storage_region_of(platform));
  set_true(store, "create");
  tell_of_account(platform, store,
                  {{"profile", "profile"}, {"project_id", "project_id"}, {"endpoint", "api"}});
  store.where = platform.where;
  return store;
}

void take_store(const Service& platform, Space& space) {
  const std::string bucket = platform.text_or("bucket", "");
  const auto is_chosen = [&](const Service& service) {
    return service.kind == "store" && service.name == space.default_store && uai_bucket_of(service);
  };
  const auto is_its_own = [&](const Service& service) {
    return service.kind == "store" && service.text_or("url", "") == cat(kUfile, bucket);
  };
  auto there = std::find_if(space.services.begin(), space.services.end(), is_chosen);
  if (there == space.services.end() && !bucket.empty())
    there = std::find_if(space.services.begin(), space.services.end(), is_its_own);
  if (there != space.services.end()) {
    // Whose login it takes is for the store to say.
    tell_of_account(platform, *there, {{"project_id", "project_id"}, {"endpoint", "api"}});
    space.default_store = there->name;
    return;
  }
  if (bucket.empty()) return;
  Service store = own_bucket(platform, space, bucket);
  store.name = space.default_store = free_name(space, "store", platform.name);
  space.services.push_back(std::move(store));
}

void take_registry(const Service& platform, Space& space) {
  const std::string repository = platform.text_or("registry", "");
  const Service* chosen = space.find("registry", space.default_registry);
  if (repository.empty() || (chosen != nullptr && is_at_uhub(*chosen))) return;
  const std::string host(uhub_host_of(platform)), url = cat(host, "/", repository);
  Service registry{"registry", "", {}, platform.where};
  for (const std::string& name : space.names("registry")) {
    const Service& other = *space.find("registry", name);
    const std::string there = without_scheme(other.text_or("url", ""));
    if (there == url) {
      space.default_registry = name;
      return;
    }
    if (there.substr(0, there.find('/')) == host) registry.attributes = other.attributes;
  }
  std::erase_if(registry.attributes.fields, [](const auto& field) { return field.first == "url"; });
  set(registry, "url", url);
  set_true(registry, "flat");
  registry.name = space.default_registry = free_name(space, "registry", platform.name);
  space.services.push_back(std::move(registry));
}

// One segment or more of such characters, each with a slash behind it.
bool is_plain_folder(std::string_view path) {
  return path.ends_with('/') && !path.starts_with('/') && path.find("//") == path.npos &&
         std::all_of(path.begin(), path.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("-_./").find(c) != std::string_view::npos;
         });
}

bool is_ufs_mount(std::string_view text) {
  const std::size_t colon = text.find(":/ufs-");
  if (colon == text.npos) return false;
  const std::vector<std::string> numbers = split(text.substr(0, colon), '.');
  const std::string_view name = text.substr(colon + 6);
  return numbers.size() == 4 && !name.empty() &&
         std::all_of(numbers.begin(), numbers.end(),
                     [](const std::string& each) {
                       const auto number = whole_number<int>(each);
                       return number && *number <= 255;
                     }) &&
         is_plain_folder(cat(name, "/")) && name.find_first_of("-./") == name.npos;
}

Result<void> check_ufs(const Service& platform, const UaiOptions& options) {
  if (options.ufs.empty() && options.ufs_folder.empty()) return {};
  if (!is_ufs_mount(options.ufs))
    return fail(user_error(cat("Platform ", quoted(platform.name), " has ",
                               options.ufs.empty() ? "an `ufs_dir` and no `ufs`"
                                                   : cat("the `ufs` ", quoted(options.ufs))),
                           "Write its mount point as the console shows it: `ufs = \"10.9.1.2:/ufs-abc123\"`")
                    .at(platform.where));
  if (options.ufs_folder.empty())
    return fail(
        user_error(cat("Platform ", quoted(platform.name), " has an `ufs` and no `ufs_dir`"),
                   "Mount it on this machine and say where, as `ufs_dir = \"/mnt/ufs\"`: what lies on "
                   "it has to be seen from here to tell whether it changed")
            .at(platform.where));
  return {};
}

}  // namespace

std::string_view uhub_host_of(const Service& platform) {
  return platform.says_yes("internal_uhub") ? kUhubInside : kUhubOutside;
}

Result<UaiOptions> uai_options_of(const Service& platform, const std::string& root) {
  UaiOptions options;
  options.name = platform.name;
  options.region = platform.text_or("region", options.region);
  options.zone = platform.text_or("zone", options.zone);
  options.project = platform.text_or("project_id", "");
  options.profile = platform.text_or("profile", "");
  options.endpoint = platform.text_or("endpoint", "");
  options.business_group = platform.text_or("business_group", options.business_group);
  options.uhub_host = uhub_host_of(platform);
  options.ufs = platform.text_or("ufs", "");
  options.ufs_folder = platform.text_or("ufs_dir", "");
  if (!options.ufs_folder.empty())
    options.ufs_folder = path_clean(path_join(root, options.ufs_folder)).value_or("");
  while (options.ufs.ends_with('/')) options.ufs.pop_back();
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  TRY(check_ufs(platform, options));
  if (!options.endpoint.empty() && !may_carry_keys(options.endpoint))
    return fail(
        user_error(cat("Platform ", quoted(platform.name),
                       " has an `endpoint` that is no https: ", quoted(options.endpoint)),
                   "A job is sent with the account's keys, which anybody on the way could read: write "
                   "`https://`")
            .at(platform.where));
  return options;
}

bool is_of_ucloud(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == url.npos) return false;
  std::string_view host = url.substr(scheme + 3);
  host = host.substr(0, host.find('/'));
  const std::string_view name = host.substr(0, host.find(':'));
  const std::string_view port = host.substr(std::min(name.size() + 1, host.size()));
  const bool is_plain = port.find_first_not_of("0123456789") == port.npos &&
                        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == name.npos;
  return is_plain &&
         (name == "ucloud.cn" || name.ends_with(".ucloud.cn") || name == "127.0.0.1" || name == "localhost");
}

std::string UaiFolder::url(std::string_view path) const {
  const std::string folder = path_join(prefix, path);
  return cat(top, folder, folder.empty() ? "" : "/");
}

std::string UaiFolder::ours(std::string_view path) const {
  return cat(is_ufs ? "trainmake/uai/" : ".trainmake/uai/", path);
}

std::optional<UaiFolder> uai_bucket_of(const Service& store) {
  const std::string* url = store.text("url");
  if (url == nullptr || !url->starts_with(kUfile)) return std::nullopt;
  const auto place = read_bucket_place(store);
  if (!place) return std::nullopt;
  return UaiFolder{cat("http://", place->bucket, ".", place->region, ".ufileos.com/"), place->prefix};
}

std::optional<UaiFolder> uai_ufs_of(const UaiOptions& options, const std::string& folder) {
  const std::string here = path_clean(folder).value_or("");
  const std::string top = cat(options.ufs_folder, "/");
  if (options.ufs.empty() || !cat(here, "/").starts_with(top)) return std::nullopt;
  return UaiFolder{cat(options.ufs, "/"), here.size() < top.size() ? "" : here.substr(top.size()), true};
}

std::string wrong_data_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t path = url.find('/', scheme == url.npos ? url.find(":/") + 2 : scheme + 3);
  const std::string_view folder = path == url.npos ? "" : url.substr(path + 1);
  if (folder.empty()) return "is a whole bucket or UFS, and it reads folders alone";
  if (scheme == url.npos && folder.front() == '.') return "begins with a dot";
  if (!is_plain_folder(folder)) return "has more in its path than letters, digits, `-`, `_`, `.` and `/`";
  return "";
}

Result<UaiStores> uai_stores_of(const Service& platform, const UaiOptions& options, const Space& space) {
  UaiStores stores;
  if (!options.ufs.empty()) stores.ufs = service_at(space, cat("dir:", options.ufs_folder));
  if (const std::string bucket = platform.text_or("bucket", ""); !bucket.empty()) {
    stores.bucket = own_bucket(platform, space, bucket);
    return stores;
  }
  const Service* store = space.find("store", space.default_store);
  if (store != nullptr && uai_bucket_of(*store)) stores.bucket = *store;
  if (stores.bucket || stores.ufs) return stores;
  return fail(user_error(cat("Platform ", quoted(platform.name),
                             " does not say which bucket its jobs read and write"),
                         "Give it `bucket = \"my-bucket\"`: data goes there, and results come from there")
                  .at(platform.where));
}

void take_uai_defaults(const std::string& platform, Space& space) {
  // What is added may move those that are there.
  if (const Service* found = space.find("platform", platform)) take_store(*found, space);
  if (const Service* found = space.find("platform", platform)) take_registry(*found, space);
}

}  // namespace trainmake
