// How a file of the shared folder shows that nobody wrote to it since it was placed: its mtime is a second of
// the day that its content picks, the last one before it was placed. Whoever writes to it moves that. So any
// number of trees and trainmakes can tell by a look, and no list of times is kept, on which those who share a
// file would have to agree; whole seconds are what every file system keeps. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace trainmake {

// `content` is what the file is known by.
std::int64_t seal_of(std::string_view content, std::int64_t now_ns);
bool is_seal_of(std::string_view content, std::int64_t mtime_ns);

}  // namespace trainmake
