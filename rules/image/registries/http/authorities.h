// Whose certificates are trusted for one registry, beside those that the machine trusts anyway.
#pragma once

#include <string>

#include "engine/base/host.h"
#include "rules/image/registry.h"

namespace trainmake {

// PEM; "" when there are none. What `ca` names, and what lies where docker and podman look for it:
// `/etc/docker/certs.d/HOST:PORT/*.crt`.
Result<std::string> authorities_for(const Host& host, const RemotePlace& place);

}  // namespace trainmake
