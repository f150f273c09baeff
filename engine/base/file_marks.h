// Marks of files and folders on the real file system: who may write there, and when it says that it was
// written. Knows nothing of what they are used for.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/error.h"

namespace trainmake {

// From here on nobody may write there, but for whom modes do not hold; of a folder: nothing comes or goes.
Result<void> close_to_writing(const std::string& path);
// Its owner may.
Result<void> open_to_writing(const std::string& path);
Result<void> set_mtime(const std::string& path, std::int64_t mtime_ns);

}  // namespace trainmake
