// Who we are at a server: a user and a password, from the environment or ~/.netrc. Never printed, and never
// sent where others could read them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cache/stores/http/http_place.h"
#include "engine/base/host.h"
#include "engine/base/secret.h"

namespace trainmake {

struct HttpLogin {
  std::string user;
  Secret password;
  std::string from;  // where it was found, for errors: "~/.netrc"
};

// The environment variable that may hold a store's password: TRAINMAKE_STORE_PASSWORD_WEB.
std::string password_variable(std::string_view store);

// What a .netrc says of a host, and of `user` where that is not "". Its `default` is not asked: it is of no
// host.
std::optional<HttpLogin> login_in_netrc(std::string_view text, std::string_view host, std::string_view user);

// Nothing when there is none and none is called for.
Result<std::optional<HttpLogin>> login_for(Host& host, const HttpPlace& place);

}  // namespace trainmake
