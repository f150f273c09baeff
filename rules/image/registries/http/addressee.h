// Whose login goes where a registry is reached. Whoever writes a TRAINSPACE.lua says that, and may be a
// stranger. Knows no logins. Pure.
#pragma once

#include <string>

#include "engine/base/host.h"
#include "rules/image/registry.h"

namespace trainmake {

inline constexpr const char* kTrustedEndpoints = "TRAINMAKE_TRUSTED_ENDPOINTS";

struct Addressee {
  std::string host;         // whose login is sent; "" is none
  std::string advice = {};  // where it is not the registry's own: how it would be
};

// `place.url` is whole, without a slash at its end. A login goes to its own host, or to this machine; to any
// other that the environment names; and in the clear to this machine alone, unless the environment names that
// address of its own host.
Addressee addressee_of(const RemotePlace& place, const Environment& environment);

}  // namespace trainmake
