// Whether a registry takes a login, asked before it is kept.
#pragma once

#include <stop_token>

#include "engine/base/host.h"
#include "engine/model/event.h"
#include "rules/image/registries/http/login_file.h"
#include "rules/image/registry.h"

namespace trainmake {

// False when the registry lets everybody in, and so tells nothing of the login.
Result<bool> check_login(Host& host, const RemotePlace& place, const Login& login, Tally& tally,
                         const std::stop_token& stop);

}  // namespace trainmake
