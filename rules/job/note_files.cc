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

Result<std::string> name_once(FileSystem& files, const std::string& path, const std::string& name) {
  TRY_ASSIGN(const bool there, is_there(files, path));
  TRY_ASSIGN(std::string kept, write_once(files, path, name));
  if (!there) TRY(files.sync_disk(std::string(path_folder(path))));
  if (kept.empty())
    return fail(
        step_error(cat(quoted(path), " is empty: by what it said the jobs of this workspace are named"),
                   "Put it back from a copy of the cache, or remove it when none of them goes on any "
                   "more: by another name they are not found"));
  return kept;
}

}  // namespace trainmake
