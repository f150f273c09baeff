// Logins for registries: what `docker login` left in its config.json, and the credential helpers that it
// names. Never written, never printed.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "engine/base/host.h"

namespace trainmake {

struct Login {
  std::string user;
  std::string password;
  std::string identity_token;  // in place of a password: to be exchanged for a token
};

// Of the registry at `host`, as `registry.example.com:5000`; empty when nobody has logged in there.
Result<std::optional<Login>> login_for(Host& host, const std::string& registry, const std::stop_token& stop);

}  // namespace trainmake
