// Sizes in bytes as a person writes them: `128MiB`, `50 MB`, `800000`. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace trainmake {

// Nothing of what is no size, is none at all, or is more than fits.
std::optional<std::uint64_t> parse_byte_count(std::string_view text);

}  // namespace trainmake
