// Which proxy stands between us and an address, as the environment says and libcurl reads it: so that errors
// can name it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/host.h"

namespace trainmake {

struct ProxyUse {
  std::string host;      // `proxy.example.com:3128`, without its login
  std::string variable;  // that names it
};
std::optional<ProxyUse> proxy_for(std::string_view url, const Environment& environment);

}  // namespace trainmake
