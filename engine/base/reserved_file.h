// A file whose room on the disk is taken before it is needed: what is written into it later needs none, nor
// does the name that it gets in the end. Where a file system writes to new places each time, it may. Knows
// not what is written. Thread rule: one thread.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/descriptor.h"
#include "engine/base/error.h"

namespace trainmake {

class ReservedFile {
 public:
  static constexpr std::size_t kRoom = 8192;
  // What it is made of: that takes the room, and says nothing.
  static std::string empty() { return std::string(kRoom, '\0'); }
  // What one says whose bytes these are; "" also of one that is about to become another file.
  static std::string said_in(std::string_view bytes);

  // One that was made before.
  static Result<ReservedFile> open(std::string path);
  // In place of what it said; what is too long for it is cut.
  Result<void> say(std::string_view text);
  // From now on it is the file `path`, in the same folder, and has these bytes; both are on disk when this
  // returns. After an error it may be tried again.
  Result<void> become(const std::string& path, std::string_view bytes);

 private:
  ReservedFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}
  Result<void> write(std::string_view bytes);

  Descriptor descriptor_;
  std::string path_;
};

}  // namespace trainmake
