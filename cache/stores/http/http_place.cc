#include "cache/stores/http/http_place.h"

#include <algorithm>

#include "cache/stores/store.h"
#include "engine/base/encoding.h"
#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {
namespace {

bool is_hidden(std::string_view name) { return name.starts_with('.') || name.starts_with('~'); }

std::string path_there(const HttpPlace& place, std::string_view key) {
  if (place.is_as_it_is_there) return std::string(key);
  std::vector<std::string> names = split(key, '/');
  for (std::string& name : names) name = cat(is_hidden(name) ? "~" : "", name);
  return join(names, "/");
}

// Each of its folders' names encoded for itself.
std::string encoded_path(std::string_view path) {
  std::vector<std::string> names = split(path, '/');
  for (std::string& name : names) name = percent_encoded(name);
  return join(names, "/");
}

// Of `https://user@host:8443`, with what stands around the name taken off.
std::string host_name(std::string_view origin) {
  origin.remove_prefix(origin.find("://") + 3);
  const bool is_v6 = origin.starts_with('[');
  std::string host(origin.substr(0, is_v6 ? origin.find(']') + 1 : origin.find(':')));
  for (char& c : host) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return host;
}

Result<void> read_url(const Service& service, HttpPlace& place) {
  const std::string& url = *service.text("url");
  const std::size_t host = url.find("://");
  const std::size_t slash = host == url.npos ? url.npos : url.find('/', host + 3);
  place.origin = url.substr(0, slash);
  const std::string_view authority = authority_of(url);
  if (authority.empty() || authority.starts_with(':') || url.find_first_of("?# ") != url.npos)
    return fail(user_error(cat("Store ", quoted(service.name),
                               " has a `url` that is none: ", quoted(without_query(url))),
                           "Write it as `https://data.example.com/path`, blanks as `%20`")
                    .at(service.where));
  place.host = host_name(place.origin);
  std::string folder = slash == url.npos ? "" : percent_decoded(std::string_view(url).substr(slash + 1));
  while (folder.ends_with('/')) folder.pop_back();
  if (path_clean(folder) != folder || folder.starts_with('/'))
    return fail(user_error(cat("Store ", quoted(service.name), " has no plain path: ", quoted(url)),
                           "Write it without `.`, `..` and doubled slashes")
                    .at(service.where));
  place.folder = std::move(folder);
  return {};
}

}  // namespace

std::optional<std::string> HttpPlace::name_in_key(std::string_view name_there) const {
  if (is_as_it_is_there || !is_hidden(name_there)) return std::string(name_there);
  const std::string_view rest = name_there.substr(1);
  return name_there.front() == '~' && is_hidden(rest) ? std::optional(std::string(rest)) : std::nullopt;
}

std::string HttpPlace::url(std::string_view key) const {
  return url_of_path(cat("/", path_join(folder, path_there(*this, key))));
}

std::string HttpPlace::url_of_path(std::string_view path) const { return cat(origin, encoded_path(path)); }

std::string HttpPlace::folder_path(std::string_view key) const {
  const std::string path = path_join(folder, path_there(*this, key));
  return path.empty() ? "/" : cat("/", path, "/");
}

bool HttpPlace::may_carry_password() const {
  const bool is_here = host == "localhost" || host == "[::1]" ||
                       (host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos);
  return origin.starts_with("https:") || is_here;
}

Result<HttpPlace> read_http_place(const Service& service, const Workspace& workspace) {
  HttpPlace place;
  place.name = service.name;
  place.where = service.where;
  place.is_as_it_is_there = is_as_it_is_there(service);
  TRY(read_url(service, place));
  constexpr unsigned kUsualRequests = 16;
  TRY_ASSIGN(place.sends, read_send_limits(service, {kUsualRequests, 0}));
  if (const std::string* ca = service.text("ca")) place.ca = path_join(workspace.root, *ca);
  if (const std::string* user = service.text("user")) place.user = *user;
  if (place.user.find(':') != std::string::npos)
    return fail(user_error(cat("The `user` of store ", quoted(service.name), " has a colon in it"),
                           "Write the name alone; the password comes from the environment or ~/.netrc")
                    .at(service.where));
  return place;
}

}  // namespace trainmake
