#include "engine/base/proxy.h"

#include <algorithm>

#include "engine/base/letter_case.h"
#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {
namespace {

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

// `no_proxy`: names and what they end, parted by commas or blanks; `*` is all of them.
bool is_spared(std::string_view host, std::string list) {
  std::replace(list.begin(), list.end(), ' ', ',');
  for (const std::string& entry : split(lower_case(list), ',')) {
    if (entry == "*") return true;
    const std::string_view name = std::string_view(entry).substr(entry.starts_with('.') ? 1 : 0);
    if (!name.empty() && (host == name || host.ends_with(cat(".", name)))) return true;
  }
  return false;
}

}  // namespace

std::optional<ProxyUse> proxy_for(std::string_view url, const Environment& environment) {
  const auto first_of = [&](std::initializer_list<const char*> names) -> std::optional<ProxyUse> {
    for (const char* name : names) {
      const std::string value = environment.get(name).value_or("");
      if (!value.empty()) return ProxyUse{value, name};
    }
    return std::nullopt;
  };
  // HTTP_PROXY is not read: a server's scripts find a header of the request there.
  std::optional<ProxyUse> proxy = url.starts_with("https:")
                                      ? first_of({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                                      : first_of({"http_proxy", "all_proxy", "ALL_PROXY"});
  const std::optional<ProxyUse> spared = first_of({"no_proxy", "NO_PROXY"});
  if (!proxy || (spared && is_spared(lower_case(without_port(host_of(url))), spared->host)))
    return std::nullopt;
  const bool has_scheme = proxy->host.find("://") != std::string::npos;
  proxy->host = std::string(host_of(has_scheme ? proxy->host : cat("http://", proxy->host)));
  return proxy;
}

}  // namespace trainmake
