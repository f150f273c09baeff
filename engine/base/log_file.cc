#include "engine/base/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace trainmake {

Result<LogFile> LogFile::open(const std::string& path) {
  Descriptor opened(
      retried([&] { return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644); }));
  if (!opened) return fail(system_error("Cannot write", path, errno));
  return LogFile(std::move(opened));
}

Result<void> LogFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = retried([&] { return ::write(descriptor_.get(), bytes.data(), bytes.size()); });
    if (size < 0) return fail(system_error("Cannot write", "the log", errno));
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

Result<std::string> read_log_file(const std::string& path, std::int64_t offset, std::size_t limit) {
  const Descriptor opened(retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!opened && (errno == ENOENT || errno == ENOTDIR)) return std::string();
  if (!opened) return fail(system_error("Cannot read", path, errno));
  const std::int64_t end = ::lseek(opened.get(), 0, SEEK_END);
  if (offset < 0) offset = std::max<std::int64_t>(0, end + offset);
  std::string bytes(
      static_cast<std::size_t>(std::clamp<std::int64_t>(end - offset, 0, static_cast<std::int64_t>(limit))),
      '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto from = static_cast<off_t>(offset + static_cast<std::int64_t>(have));
    const ssize_t size =
        retried([&] { return ::pread(opened.get(), bytes.data() + have, bytes.size() - have, from); });
    if (size < 0) return fail(system_error("Cannot read", path, errno));
    if (size == 0) break;
    have += static_cast<std::size_t>(size);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace trainmake
