// Sizes as a person writes them in `resources`. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/model/value.h"

namespace trainmake {

// "64G", "512M", "1.5 GiB": rounded up to a mebibyte; a bare number is mebibytes. `name` is for the error.
Result<std::uint64_t> mebibytes_of(std::string_view name, const std::string& text);
// What resources say by that name; 0: nothing.
Result<std::uint64_t> mebibytes_said(const Table& resources, std::string_view name);

}  // namespace trainmake
