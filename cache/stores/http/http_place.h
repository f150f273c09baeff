// Which folder of which server a store is, as TRAINSPACE.lua says, and the addresses of what lies there.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cache/stores/send_limits.h"
#include "engine/base/error.h"
#include "engine/model/project.h"

namespace trainmake {

struct HttpPlace {
  std::string name;    // of the store, for errors
  Location where;      // that names it
  std::string origin;  // `https://data.example.com:8443`
  std::string host;    // `data.example.com`, in lower case
  std::string folder;  // of the server, not encoded; "" or without slashes at its ends
  std::string user;    // "" when the store names none
  std::string ca;      // a file of certificates; "" is those that the machine trusts
  SendLimits sends = {};
  bool is_as_it_is_there = false;  // names in keys are those of the server

  std::string url(std::string_view key) const;
  // Of a key's folder, as the server names it: `/some/folder/key/`, not encoded. "" is the store itself.
  std::string folder_path(std::string_view key) const;
  std::string url_of_path(std::string_view path) const;
  // Whether nobody between here and there could read it.
  bool may_carry_password() const;

  // A server hides names that begin with a dot, or refuses them: there they begin with `~.`, and those with
  // `~` have a second one. The name in a key that a name there is of; nothing when no key has it.
  std::optional<std::string> name_in_key(std::string_view name_there) const;
};

// `https://host/path`, and `user`, `ca`, `requests`, `bandwidth`.
Result<HttpPlace> read_http_place(const Service& service, const Workspace& workspace);

}  // namespace trainmake
