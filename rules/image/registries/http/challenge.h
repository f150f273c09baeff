// What a registry asks of who comes without a login, in `WWW-Authenticate`. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace trainmake {

struct Challenge {
  std::string scheme;  // lower case: "basic", "bearer"
  std::map<std::string, std::string> parameters;
};

// The first that one header names; empty when it is none.
std::optional<Challenge> parse_challenge(std::string_view header);

}  // namespace trainmake
