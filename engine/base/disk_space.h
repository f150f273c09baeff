// How much room a disk has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/error.h"

namespace trainmake {

// Bytes that we may still write where `folder` lies; empty when it cannot be told.
std::optional<std::uint64_t> free_bytes(const std::string& folder);

// An error when that is less than `bytes`, which `what` takes there at least; `folder` need not be there yet.
// Where it cannot be told nothing is wrong.
Result<void> check_room(const std::string& folder, std::uint64_t bytes, const std::string& what);

// Whether that is why something could not be written: there is no room, or none for us.
bool tells_of_full_disk(const Error& error);

// Whether a copy of a file on the same disk may take no room there until one of the two is written to.
bool shares_copies(const std::string& folder);

}  // namespace trainmake
