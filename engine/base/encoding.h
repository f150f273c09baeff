// Bytes as text that protocols carry. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trainmake {

std::string base64_of(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

// As a path segment or a query's value: all but letters, digits and `-._~`.
std::string percent_encoded(std::string_view text);
// Each `%41` as the byte it stands for; a `%` of anything else stays.
std::string percent_decoded(std::string_view text);

}  // namespace trainmake
