#include "cache/lay_out.h"

#include "engine/base/text.h"

namespace trainmake {

Result<void> lay_out(Blobs& blobs, const ListedFile& file, const std::string& owner, const std::string& to,
                     const Copying& copying) {
  TRY_ASSIGN(const bool copied,
             blobs.copy_out(file.sha256, to, {.mode = file.mode != 0 ? file.mode : 0644U}, copying));
  if (copied) return {};
  return fail(step_error(
      cat("The content of ", quoted(file.key), " of ", owner, " is no longer in the cache, or damaged"),
      "Run it again: it is read anew, or what made it is made again first"));
}

Result<void> lay_out(FileSystem& files, Blobs& blobs, const Listing& listing, const std::string& owner,
                     const std::string& folder, const Copying& copying) {
  TRY(files.make_folder(folder));
  for (const ListedFile& file : listing) {
    const std::string to = path_join(folder, file.key);
    if (is_folder(file.key)) {
      TRY(files.make_folder(to));
    } else if (file.link_target.empty()) {
      TRY(lay_out(blobs, file, owner, to, copying));
    } else {
      TRY(files.make_folder(std::string(path_folder(to))));
      TRY(files.make_link(file.link_target, to));
    }
  }
  return {};
}

}  // namespace trainmake
