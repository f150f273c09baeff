#include "rules/image/registries/http/address.h"

#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {
namespace {

constexpr std::string_view kBeforeHost = "://";

bool is_whole(std::string_view url) {
  const std::size_t scheme = url.find(kBeforeHost);
  return scheme != url.npos && url.find_first_of("/?#") > scheme;
}

bool is_loopback(std::string_view host) {
  const std::string_view name = host.substr(0, host.ends_with(']') ? host.npos : host.rfind(':'));
  return name == "localhost" || name == "[::1]" ||
         (name.starts_with("127.") && name.find_first_not_of("0123456789.") == name.npos);
}

}  // namespace

std::string url_of_registry(const std::string& host, bool insecure) {
  const std::string reached = host == "docker.io" ? "registry-1.docker.io" : host;
  return cat(is_loopback(host) || insecure ? "http" : "https", kBeforeHost, reached);
}

bool is_on_this_machine(std::string_view url) { return is_loopback(host_of(url)); }

std::string resolved(std::string_view location, std::string_view from) {
  if (is_whole(location)) return std::string(location);
  const std::size_t scheme = from.find(kBeforeHost);
  if (scheme == from.npos) return std::string(location);
  if (location.starts_with("//")) return cat(from.substr(0, scheme + 1), location);
  const std::size_t path = std::min(from.find_first_of("/?#", scheme + kBeforeHost.size()), from.size());
  if (location.starts_with('/')) return cat(from.substr(0, path), location);
  from = from.substr(0, from.find_first_of("?#", path));
  if (location.starts_with('?')) return cat(from, location);
  const std::size_t last = from.rfind('/');
  return last < path || last == from.npos ? cat(from, "/", location)
                                          : cat(from.substr(0, last + 1), location);
}

bool is_below(std::string_view url, std::string_view base) {
  return url.starts_with(base) && (url.size() == base.size() || url[base.size()] == '/');
}

}  // namespace trainmake
