#include "engine/base/reserved_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "engine/base/file_system.h"

namespace trainmake {

namespace {

constexpr char kSays = '\1', kEnd = '\0';  // around what it says

}  // namespace

std::string ReservedFile::said_in(std::string_view bytes) {
  if (!bytes.starts_with(kSays)) return {};
  return std::string(bytes.substr(1, bytes.find(kEnd) - 1));
}

Result<ReservedFile> ReservedFile::open(std::string path) {
  Descriptor opened(retried([&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW); }));
  if (!opened) return fail(system_error("Cannot write", path, errno));
  return ReservedFile(std::move(opened), std::move(path));
}

Result<void> ReservedFile::say(std::string_view text) {
  std::string said(1, kSays);
  said += text.substr(0, kRoom - 2);
  said += kEnd;
  return write(said);
}

Result<void> ReservedFile::become(const std::string& path, std::string_view bytes) {
  TRY(write(bytes));
  if (::ftruncate(descriptor_.get(), static_cast<off_t>(bytes.size())) != 0 ||
      ::fsync(descriptor_.get()) != 0)
    return fail(system_error("Cannot write", path_, errno));
  if (::rename(path_.c_str(), path.c_str()) != 0) return fail(system_error("Cannot write", path, errno));
  path_ = path;
  const std::string folder(path_folder(path));
  const Descriptor opened(
      retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!opened || ::fsync(opened.get()) != 0) return fail(system_error("Cannot write", folder, errno));
  return {};
}

Result<void> ReservedFile::write(std::string_view bytes) {
  for (off_t at = 0; !bytes.empty();) {
    const ssize_t count =
        retried([&] { return ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), at); });
    if (count < 0) return fail(system_error("Cannot write", path_, errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
    at += count;
  }
  return {};
}

}  // namespace trainmake
