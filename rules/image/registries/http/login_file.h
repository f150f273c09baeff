// Files of logins, in the shape of docker's config.json: which there are, what stands in them, and the one
// that `trainmake login` writes. Knows no helpers, and asks nobody.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/secret.h"

namespace trainmake {

struct Login {
  std::string user;
  Secret password;
  Secret identity_token = {};  // in place of a password: to be exchanged for a token
  std::string from = {};       // where it stands, for people
};

// What one file says of one registry.
struct LoginEntry {
  std::optional<Login> login;
  std::string helper = {};  // to be asked for it under `key`; "" is none
  std::string key = {};     // what the file calls the registry
  bool is_named = true;     // false: the helper is one for all registries, whether it has this one's or not
};

// `$XDG_CONFIG_HOME/trainmake/logins.json`; "" when there is no home.
std::string own_login_file(const Environment& environment);
// Ours first, then $REGISTRY_AUTH_FILE, podman's and docker's.
std::vector<std::string> login_files(const Environment& environment);

// `text` is the content of the file at `path`.
Result<std::optional<LoginEntry>> entry_for(std::string_view text, const std::string& path,
                                            const std::string& registry);
// Every registry that it names.
Result<std::vector<LoginEntry>> entries_of(std::string_view text, const std::string& path);

// In our own file, which nobody else may read.
Result<void> keep_login(Host& host, const std::string& registry, const Login& login);
Result<bool> remove_login(Host& host, const std::string& registry);  // false when there was none

}  // namespace trainmake
