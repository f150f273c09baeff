// How much room a disk has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace trainmake {

// Bytes that we may still write where `folder` lies; empty when it cannot be told.
std::optional<std::uint64_t> free_bytes(const std::string& folder);

}  // namespace trainmake
