// What was left behind by whoever was killed, once it is old enough to be nobody's any more.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/host.h"

namespace trainmake {

// Removes what lies in `folder`, has a name that begins with `start`, and was not written to for so long: nor
// was what lies in it. Worth a try: what cannot be told or removed stays.
void remove_old(FileSystem& files, Clock& clock, const std::string& folder, std::string_view start,
                std::chrono::hours age = std::chrono::hours(1));
// The same where a file that is written now would have that time: on the disk of another machine.
void remove_old(FileSystem& files, std::int64_t now_ns, const std::string& folder, std::string_view start,
                std::chrono::hours age = std::chrono::hours(1));

}  // namespace trainmake
