#include "rules/job/note_files.h"

#include "engine/base/text.h"

namespace trainmake {

Result<bool> is_there(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path));
  return stat.exists();
}

Result<std::string> text_at(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, path));
  return std::string(trim(text.value_or("")));
}

Result<std::string> write_once(FileSystem& files, const std::string& path, const std::string& text) {
  TRY_ASSIGN(const bool there, is_there(files, path));
  if (!there) {
    TRY(files.make_folder(std::string(path_folder(path))));
    TRY_ASSIGN(const bool first, files.create_exclusive(path, text + "\n"));
    if (first) return text;
  }
  return text_at(files, path);
}

}  // namespace trainmake
