// Who we are at a registry: its login, wherever somebody left one. Never printed.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "engine/base/host.h"
#include "rules/image/registries/http/login_file.h"

namespace trainmake {

inline constexpr std::string_view kLoginVariable = "TRAINMAKE_LOGIN_";

// The environment variable that may hold a login, as `user:password`: TRAINMAKE_LOGIN_R_EXAMPLE_COM_5000.
std::string login_variable(const std::string& registry);

// Of the registry at `host`, as `registry.example.com:5000`: from the environment, else from the first of
// login_files that has one, or names a credential helper that has one. Empty when nobody has logged in there.
// A helper that failed, and was not named for this registry alone, is no error: `trouble` tells of it.
Result<std::optional<Login>> login_for(Host& host, const std::string& registry, const std::stop_token& stop,
                                       std::string* trouble = nullptr);

}  // namespace trainmake
