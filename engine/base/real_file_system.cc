// FileSystem over Linux. Every descriptor is close-on-exec, and nothing is kept between calls. Removing trees
// is in remove_tree.cc.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "engine/base/descriptor.h"
#include "engine/base/file_lock.h"
#include "engine/base/file_system.h"
#include "engine/base/remove_tree.h"
#include "engine/base/text.h"

namespace trainmake {

namespace {

constexpr unsigned kAsked = STATX_TYPE | STATX_MODE | STATX_SIZE | STATX_MTIME | STATX_CTIME | STATX_INO;
constexpr std::size_t kWriteBuffer = 64 * 1024;
constexpr std::size_t kLargeBuffer = std::size_t{4} << 20U;
constexpr std::size_t kAlignment = 4096;
constexpr std::size_t kCopiedAtOnce = std::size_t{64} << 20U;

FileKind kind_of_mode(unsigned mode) {
  if (S_ISREG(mode)) return FileKind::kFile;
  if (S_ISDIR(mode)) return FileKind::kFolder;
  if (S_ISLNK(mode)) return FileKind::kLink;
  return FileKind::kOther;
}

std::int64_t nanoseconds(const struct statx_timestamp& time) {
  return time.tv_sec * 1'000'000'000 + static_cast<std::int64_t>(time.tv_nsec);
}

Stat stat_from(const struct statx& raw) {
  Stat stat;
  stat.size = raw.stx_size;
  stat.mtime_ns = nanoseconds(raw.stx_mtime);
  stat.ctime_ns = nanoseconds(raw.stx_ctime);
  stat.inode = raw.stx_ino;
  stat.mode = raw.stx_mode & 07777U;
  stat.kind = kind_of_mode(raw.stx_mode);
  return stat;
}

bool means_nothing_there(int error_number) { return error_number == ENOENT || error_number == ENOTDIR; }

// 0 or errno; nothing there is 0 and kNone.
int look_from(int folder, const char* name, Links links, Stat& into) {
  struct statx raw;
  const int flags = links == Links::kFollow ? 0 : AT_SYMLINK_NOFOLLOW;
  if (retried([&] { return ::statx(folder, name, flags, kAsked, &raw); }) == 0) {
    into = stat_from(raw);
    return 0;
  }
  into = Stat();
  return means_nothing_there(errno) ? 0 : errno;
}

// The empty path is the folder we are in.
const char* named(const std::string& path) { return path.empty() ? "." : path.c_str(); }

Descriptor open_at(int folder, const char* name, int flags, unsigned mode = 0) {
  return Descriptor(retried([&] { return ::openat(folder, name, flags | O_CLOEXEC, mode); }));
}

Result<void> write_fully(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = retried([&] { return ::write(descriptor, bytes.data(), bytes.size()); });
    if (count < 0) return fail(system_error("Cannot write", path, errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

class RealReader final : public FileReader {
 public:
  RealReader(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<std::size_t> read(std::span<char> into) override {
    const ssize_t count = retried([&] { return ::read(descriptor_.get(), into.data(), into.size()); });
    if (count < 0) return fail(system_error("Cannot read", path_, errno));
    if (count == 0 && !has_read_) TRY(refuse_pipes());
    has_read_ = true;
    return static_cast<std::size_t>(count);
  }

  Result<Stat> stat() override {
    struct statx raw;
    if (::statx(descriptor_.get(), "", AT_EMPTY_PATH, kAsked, &raw) != 0) {
      return fail(system_error("Cannot look at", path_, errno));
    }
    return stat_from(raw);
  }

  Result<void> skip(std::uint64_t bytes) override {
    if (::lseek(descriptor_.get(), static_cast<off_t>(bytes), SEEK_CUR) >= 0) return {};
    return FileReader::skip(bytes);
  }

  // Nothing waits until it has arrived there.
  void expect_writes() override {
    static_cast<void>(
        ::sync_file_range(descriptor_.get(), 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE));
  }

 private:
  // A pipe that nobody writes to reads as if it were empty. Asked here and not by open, where it would cost
  // every file a call.
  Result<void> refuse_pipes() {
    struct stat raw;
    if (::fstat(descriptor_.get(), &raw) != 0) return fail(system_error("Cannot read", path_, errno));
    if (S_ISREG(raw.st_mode) || S_ISCHR(raw.st_mode)) return {};
    return fail(user_error(cat("Cannot read ", quoted(path_), ": Not a regular file")));
  }

  Descriptor descriptor_;
  std::string path_;
  bool has_read_ = false;
};

enum class Copied : std::uint8_t { kNothing, kAll };

// By the file system alone, into a file that is empty. It may know no such thing, or not between these two.
Result<Copied> copy_inside(int from, int to, const std::string& path, const std::stop_token& stop) {
  if (::ioctl(to, FICLONE, from) == 0) return Copied::kAll;
  for (bool any = false;; any = true) {
    if (stop.stop_requested()) return fail(interrupted_error());
    const ssize_t count =
        retried([&] { return ::copy_file_range(from, nullptr, to, nullptr, kCopiedAtOnce, 0); });
    if (count <= 0 && !any) return Copied::kNothing;  // where it truly failed, writing tells why
    if (count < 0) return fail(system_error("Cannot write", path, errno));
    if (count == 0) return Copied::kAll;
  }
}

// Whether writes to it are past the page cache from now on, or not any more. Not every file system can.
bool set_direct(int descriptor, bool direct) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && ::fcntl(descriptor, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

struct Temporary {
  Descriptor descriptor;
  std::string path;
};

// Beside `path`.
Result<Temporary> open_temporary(const std::string& path, std::uint32_t mode) {
  static std::atomic<unsigned> next = 0;
  const std::string folder(path_folder(path));
  int made_folder = 0;
  while (true) {
    std::string name = path_join(folder, cat(".tm-tmp-", ::getpid(), '-', next.fetch_add(1)));
    Descriptor opened = open_at(AT_FDCWD, name.c_str(), O_WRONLY | O_CREAT | O_EXCL, mode);
    if (opened) return Temporary{std::move(opened), std::move(name)};
    if (errno == ENOENT && made_folder < 3) {  // somebody may tidy it up before we are in it
      TRY(real_file_system().make_folder(folder));
      ++made_folder;
    } else if (errno != EEXIST) {  // a leftover of another process with our number
      return fail(system_error("Cannot write", path, errno));
    }
  }
}

// So that the name, too, survives a power cut.
Result<void> sync_name(const std::string& path) {
  const std::string folder(path_folder(path));
  const Descriptor opened = open_at(AT_FDCWD, named(folder), O_RDONLY | O_DIRECTORY);
  if (!opened || ::fsync(opened.get()) != 0) return fail(system_error("Cannot write", folder, errno));
  return {};
}

class RealWriter final : public FileWriter {
 public:
  RealWriter(Descriptor descriptor, std::string temporary, std::string path, const WriteOptions& options)
      : descriptor_(std::move(descriptor)),
        temporary_(std::move(temporary)),
        path_(std::move(path)),
        mode_(options.mode),
        durable_(options.durable),
        is_aside_(!options.aside.empty()),
        large_(options.large) {}

  ~RealWriter() override {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Result<void> append(std::string_view bytes) override {
    if (large_) return append_large(bytes);
    if (buffer_.size() + bytes.size() > kWriteBuffer) TRY(flush());
    if (bytes.size() > kWriteBuffer) return write_fully(descriptor_.get(), bytes, path_);
    buffer_ += bytes;
    return {};
  }

  Result<std::unique_ptr<FileReader>> take_copy(const std::string& from,
                                                const std::stop_token& stop) override {
    const Descriptor source = open_at(AT_FDCWD, from.c_str(), O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (!source) return fail(system_error("Cannot open", from, errno));
    TRY_ASSIGN(const Copied copied, copy_inside(source.get(), descriptor_.get(), path_, stop));
    if (copied == Copied::kNothing) return nullptr;
    Descriptor opened = open_at(AT_FDCWD, temporary_.c_str(), O_RDONLY);
    if (!opened) return fail(system_error("Cannot open", temporary_, errno));
    return std::make_unique<RealReader>(std::move(opened), path_);
  }

  Result<void> commit() override {
    if (direct_) stop_direct();
    TRY(flush());
    if (durable_ && ::fsync(descriptor_.get()) != 0) return fail(system_error("Cannot write", path_, errno));
    if (!descriptor_.reset()) return fail(system_error("Cannot write", path_, errno));
    TRY(take_name());
    temporary_.clear();
    return durable_ ? sync_name(path_) : Result<void>();
  }

 private:
  Result<void> flush() {
    const std::string_view waiting = large_ ? std::string_view(room_.get(), filled_) : buffer_;
    TRY(write_fully(descriptor_.get(), waiting, path_));
    buffer_.clear();
    filled_ = 0;
    return {};
  }

  // Writes past the page cache are of whole blocks, from memory that is aligned to them: all but the last.
  Result<void> append_large(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!room_) room_.reset(static_cast<char*>(std::aligned_alloc(kAlignment, kLargeBuffer)));
      CHECK(room_ != nullptr);
      const std::size_t count = bytes.copy(room_.get() + filled_, kLargeBuffer - filled_);
      filled_ += count;
      bytes.remove_prefix(count);
      if (filled_ == kLargeBuffer) TRY(flush_large());
    }
    return {};
  }

  Result<void> flush_large() {
    if (!tried_direct_) direct_ = set_direct(descriptor_.get(), true);
    tried_direct_ = true;
    if (direct_) {
      const ssize_t count = retried([&] { return ::write(descriptor_.get(), room_.get(), filled_); });
      if (count == static_cast<ssize_t>(filled_)) {
        filled_ = 0;
        return {};
      }
      if (count < 0 && errno != EINVAL) return fail(system_error("Cannot write", path_, errno));
      stop_direct();  // it wants other blocks, or the disk is about to be full
      const std::size_t written = count < 0 ? 0 : static_cast<std::size_t>(count);
      TRY(write_fully(descriptor_.get(), {room_.get() + written, filled_ - written}, path_));
      filled_ = 0;
      return {};
    }
    return flush();
  }

  void stop_direct() {
    direct_ = false;
    set_direct(descriptor_.get(), false);
  }

  // What was written aside may find its folder missing, or tidied up by somebody, and may turn out to lie on
  // another file system after all.
  Result<void> take_name() {
    constexpr int kMostFolders = 3;
    for (int made = 0; ::rename(temporary_.c_str(), path_.c_str()) != 0;) {
      const int error = errno;
      if (error == ENOENT && is_aside_ && made++ < kMostFolders)
        TRY(real_file_system().make_folder(std::string(path_folder(path_))));
      else if (error == EXDEV && is_aside_)
        TRY(move_beside());
      else
        return fail(system_error("Cannot write", path_, error));
    }
    return {};
  }

  Result<void> move_beside() {
    is_aside_ = false;
    const Descriptor source = open_at(AT_FDCWD, temporary_.c_str(), O_RDONLY);
    if (!source) return fail(system_error("Cannot open", temporary_, errno));
    ::unlink(temporary_.c_str());
    TRY_ASSIGN(Temporary beside, open_temporary(path_, mode_));
    temporary_ = std::move(beside.path);
    TRY_ASSIGN(const Copied copied, copy_inside(source.get(), beside.descriptor.get(), path_, {}));
    if (copied == Copied::kNothing) TRY(copy_by_hand(source.get(), beside.descriptor.get()));
    const bool is_kept = !durable_ || ::fsync(beside.descriptor.get()) == 0;
    if (!is_kept || !beside.descriptor.reset()) return fail(system_error("Cannot write", path_, errno));
    return {};
  }

  Result<void> copy_by_hand(int from, int to) {
    std::string piece(kLargeBuffer, '\0');
    for (;;) {
      const ssize_t count = retried([&] { return ::read(from, piece.data(), piece.size()); });
      if (count < 0) return fail(system_error("Cannot read", temporary_, errno));
      if (count == 0) return {};
      TRY(write_fully(to, {piece.data(), static_cast<std::size_t>(count)}, path_));
    }
  }

  Descriptor descriptor_;
  std::string temporary_;  // "" once it has its name
  std::string path_;
  std::string buffer_;
  std::uint32_t mode_;
  bool durable_;
  bool is_aside_;
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  bool large_;
  bool direct_ = false, tried_direct_ = false;
  std::unique_ptr<char, Free> room_;  // of a large one, in place of `buffer_`
  std::size_t filled_ = 0;
};

class RealFileSystem final : public FileSystem {
 public:
  Result<Stat> look(const std::string& path, Links links) override {
    Stat stat;
    if (const int error = look_from(AT_FDCWD, named(path), links, stat); error != 0) {
      return fail(system_error("Cannot look at", path, error));
    }
    return stat;
  }

  Result<void> look_at_all(const std::string& folder, std::span<const std::string_view> names,
                           std::span<Stat> into, Links links) override {
    CHECK(names.size() == into.size());
    const Descriptor opened = open_at(AT_FDCWD, named(folder), O_PATH | O_DIRECTORY);
    if (!opened && !means_nothing_there(errno)) return fail(system_error("Cannot look into", folder, errno));
    std::string name;  // the views need not end in NUL
    for (std::size_t i = 0; i < names.size(); ++i) {
      into[i] = Stat();
      if (!opened) continue;
      name = names[i];
      if (const int error = look_from(opened.get(), name.c_str(), links, into[i]); error != 0) {
        return fail(system_error("Cannot look at", path_join(folder, name), error));
      }
    }
    return {};
  }

  Result<std::vector<FolderEntry>> list(const std::string& folder) override;
  Result<std::string> read_link(const std::string& path) override;
  Result<std::unique_ptr<FileReader>> open(const std::string& path) override;
  Result<std::unique_ptr<FileWriter>> create(const std::string& path, const WriteOptions& options) override;

  Result<std::unique_ptr<FileWriter>> extend(const std::string& path) override;

  Result<void> make_folder(const std::string& path) override {
    if (path.empty() || ::mkdir(path.c_str(), 0777) == 0) return {};
    int error = errno;
    if (error == ENOENT && !path_folder(path).empty()) {
      TRY(make_folder(std::string(path_folder(path))));
      if (::mkdir(path.c_str(), 0777) == 0) return {};
      error = errno;
    }
    TRY_ASSIGN(const Stat there, look(path, Links::kFollow));
    if (there.is(FileKind::kFolder)) return {};
    if (there.exists()) error = ENOTDIR;
    return fail(system_error("Cannot make the folder", path, error));
  }

  Result<void> make_link(const std::string& target, const std::string& path) override {
    if (::symlink(target.c_str(), path.c_str()) == 0) return {};
    return fail(system_error("Cannot make the link", path, errno));
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return fail(system_error(cat("Cannot rename ", quoted(from), " to"), to, errno));
  }

  Result<void> remove(const std::string& path) override { return remove_tree(path); }
  Result<bool> remove_empty_folder(const std::string& path) override {
    if (::rmdir(path.c_str()) == 0) return true;
    const bool stays = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR || errno == ENOENT;
    return stays ? Result<bool>(false) : fail(system_error("Cannot remove", path, errno));
  }
  Result<void> sync_file(const std::string& path) override {
    const Descriptor opened = open_at(AT_FDCWD, named(path), O_RDONLY);
    if (!opened || ::fsync(opened.get()) != 0) return fail(system_error("Cannot write", path, errno));
    return sync_name(path);
  }
  Result<void> sync_disk(const std::string& path) override {
    const Descriptor opened = open_at(AT_FDCWD, named(path), O_RDONLY);
    if (!opened || ::syncfs(opened.get()) != 0) return fail(system_error("Cannot write", path, errno));
    return {};
  }
  Result<bool> create_exclusive(const std::string& path, std::string_view content) override;
  Result<std::optional<FileLock>> lock(const std::string& path, FileLock::Mode mode) override {
    return try_lock(path, mode);
  }
};

Result<std::vector<FolderEntry>> RealFileSystem::list(const std::string& folder) {
  Descriptor opened = open_at(AT_FDCWD, named(folder), O_RDONLY | O_DIRECTORY);
  if (!opened) return fail(system_error("Cannot list", folder, errno));
  const std::unique_ptr<DIR, int (*)(DIR*)> reading(::fdopendir(opened.get()), ::closedir);
  if (!reading) return fail(system_error("Cannot list", folder, errno));
  const int number = opened.release();  // closedir closes it
  std::vector<FolderEntry> entries;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(reading.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    FileKind kind = kind_of_mode(static_cast<unsigned>(DTTOIF(entry->d_type)));
    if (entry->d_type == DT_UNKNOWN) {  // some file systems do not say
      Stat stat;
      if (look_from(number, entry->d_name, Links::kKeep, stat) != 0 || !stat.exists()) continue;
      kind = stat.kind;
    }
    entries.push_back({std::string(name), kind});
  }
  if (errno != 0) return fail(system_error("Cannot list", folder, errno));
  std::sort(entries.begin(), entries.end(),
            [](const FolderEntry& a, const FolderEntry& b) { return a.name < b.name; });
  return entries;
}

Result<std::string> RealFileSystem::read_link(const std::string& path) {
  std::string target(256, '\0');
  while (true) {
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    if (length < 0) return fail(system_error("Cannot read the link", path, errno));
    if (static_cast<std::size_t>(length) < target.size()) {
      target.resize(static_cast<std::size_t>(length));
      return target;
    }
    target.resize(2 * target.size());
  }
}

// Without O_NONBLOCK a pipe would hold us until somebody writes.
Result<std::unique_ptr<FileReader>> RealFileSystem::open(const std::string& path) {
  Descriptor opened = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NOCTTY | O_NONBLOCK);
  if (!opened) return fail(system_error("Cannot open", path, errno));
  return std::make_unique<RealReader>(std::move(opened), path);
}

Result<std::unique_ptr<FileWriter>> RealFileSystem::create(const std::string& path,
                                                           const WriteOptions& options) {
  const std::string near = options.aside.empty() ? path : path_join(options.aside, path_name(path));
  TRY_ASSIGN(Temporary made, open_temporary(near, options.mode));
  return std::make_unique<RealWriter>(std::move(made.descriptor), std::move(made.path), path, options);
}

class RealExtender final : public FileWriter {
 public:
  RealExtender(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}
  Result<void> append(std::string_view bytes) override {
    return write_fully(descriptor_.get(), bytes, path_);
  }
  Result<void> commit() override {
    constexpr mode_t kReadOnly = 0444;
    if (::fchmod(descriptor_.get(), kReadOnly) == 0) return {};
    return fail(system_error("Cannot set the mode of", path_, errno));
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

Result<std::unique_ptr<FileWriter>> RealFileSystem::extend(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND;
  Descriptor opened = open_at(AT_FDCWD, path.c_str(), kFlags, 0644);
  if (!opened && errno == ENOENT) {
    TRY(make_folder(std::string(path_folder(path))));
    opened = open_at(AT_FDCWD, path.c_str(), kFlags, 0644);
  }
  if (!opened) return fail(system_error("Cannot write", path, errno));
  return std::make_unique<RealExtender>(std::move(opened), path);
}

// Written aside and then linked, so that whoever finds the name finds the content with it.
Result<bool> RealFileSystem::create_exclusive(const std::string& path, std::string_view content) {
  TRY_ASSIGN(const Temporary made, open_temporary(path, 0644));
  auto written = write_fully(made.descriptor.get(), content, path);
  const int linked = written ? ::link(made.path.c_str(), path.c_str()) : 0;
  const int error = linked == 0 ? 0 : errno;
  ::unlink(made.path.c_str());
  if (!written) return fail(std::move(written).error());
  if (error == 0) return true;
  if (error == EEXIST) return false;
  if (error != EPERM && error != EOPNOTSUPP) return fail(system_error("Cannot write", path, error));
  const Descriptor opened = open_at(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (!opened && errno == EEXIST) return false;
  if (!opened) return fail(system_error("Cannot write", path, errno));
  TRY(write_fully(opened.get(), content, path));
  return true;
}

}  // namespace

FileSystem& real_file_system() {
  static RealFileSystem files;
  return files;
}

}  // namespace trainmake
