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

std::string base64_of(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

std::string percent_encoded(std::string_view text);  // for a query

}  // namespace trainmake
