// Files of a word or a line that platforms keep of their runs: read, and made once, whoever comes first.
// Knows nothing of what they mean.
#pragma once

#include <string>

#include "engine/base/file_system.h"

namespace trainmake {

Result<bool> is_there(FileSystem& files, const std::string& path);
// Without blanks around it; "" when there is none.
Result<std::string> text_at(FileSystem& files, const std::string& path);
// What the first one wrote, whoever that was.
Result<std::string> write_once(FileSystem& files, const std::string& path, const std::string& text);
// The same of a name that jobs are found by: on disk before it is used, and never "".
Result<std::string> name_once(FileSystem& files, const std::string& path, const std::string& name);

}  // namespace trainmake
