// The file system as the rest of the program sees it: one narrow door, so that tests can put an in-memory one
// in its place and read what was asked. Paths are absolute or relative to the process's folder; nothing here
// resolves `..`. More methods than a seam should have: each is one system call that something above needs,
// and none is built on another. Thread rule: every method may be called from any thread at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace trainmake {

enum class FileKind : std::uint8_t { kNone, kFile, kFolder, kLink, kOther };

// What stat says, as far as it tells whether a file is still the one that was read. Equal stats, and an old
// enough mtime, mean equal content.
struct Stat {
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::uint64_t inode = 0;
  std::uint32_t mode = 0;  // permission bits alone
  FileKind kind = FileKind::kNone;

  bool exists() const { return kind != FileKind::kNone; }
  bool is(FileKind what) const { return kind == what; }
  friend bool operator==(const Stat&, const Stat&) = default;
};

struct FolderEntry {
  std::string name;
  FileKind kind = FileKind::kNone;
};

// An open file to read. `stat` is of the open file, not of its name.
class FileReader {
 public:
  virtual ~FileReader() = default;
  virtual Result<std::size_t> read(std::span<char> into) = 0;  // 0 at the end
  virtual Result<Stat> stat() = 0;
  // Leaves out the next `bytes`; past the end there is nothing to read. By reading them, unless it can do
  // better.
  virtual Result<void> skip(std::uint64_t bytes);
  // Whoever writes to it from now on changes its mtime, whichever way: of memory that is written to and
  // stands for the file, the first write to a page alone would, until the page is on its way to the disk.
  // Where the file system keeps it otherwise nothing can be done.
  virtual void expect_writes() {}
};

// A file being written under a temporary name, beside its own or aside. Nothing is seen under `path` before
// commit; a writer that goes without commit leaves nothing behind.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  virtual Result<void> append(std::string_view bytes) = 0;
  // As if all of the file `from` were appended to what is empty yet, but by the file system itself: shared
  // until somebody writes to one of the two, else copied there. What came, to be read, for `from` may have
  // been written meanwhile; nothing when the file system can do neither.
  virtual Result<std::unique_ptr<FileReader>> take_copy(const std::string& from, const std::stop_token& stop);
  virtual Result<void> commit() = 0;
};

struct WriteOptions {
  std::uint32_t mode = 0644;
  bool durable = false;  // fsync file and folder before commit returns
  bool large = false;  // gigabytes perhaps: past the page cache, so that they do not drive out what is in use
  std::string aside = {};  // a folder to write it in until then, on the same file system; "" is beside it
};

enum class Links : std::uint8_t { kKeep, kFollow };

// A held lock on a file (made when missing). Freed with the object or the process.
class FileLock {
 public:
  enum class Mode : std::uint8_t { kShared, kExclusive };
  // Of a file system that is one process's own, where nobody else could hold it.
  static FileLock of_nothing() { return FileLock(nullptr); }
  // Freed with what it holds, which nobody else does.
  explicit FileLock(std::shared_ptr<void> held) : held_(std::move(held)) {}
  FileLock(FileLock&& other) noexcept = default;
  FileLock& operator=(FileLock&& other) noexcept = default;

 private:
  std::shared_ptr<void> held_;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // kind == kNone when there is nothing; an error only when it cannot be told (permission, loop).
  virtual Result<Stat> look(const std::string& path, Links links = Links::kKeep) = 0;
  // Stats of `names` in `folder`, in their order; what is not there has kind kNone. One open for many looks.
  virtual Result<void> look_at_all(const std::string& folder, std::span<const std::string_view> names,
                                   std::span<Stat> into, Links links = Links::kKeep) = 0;
  virtual Result<std::vector<FolderEntry>> list(const std::string& folder) = 0;  // sorted by name, bytewise
  virtual Result<std::string> read_link(const std::string& path) = 0;
  // What is no file is refused here or by the first read.
  virtual Result<std::unique_ptr<FileReader>> open(const std::string& path) = 0;
  // Makes the folders above when they are missing.
  virtual Result<std::unique_ptr<FileWriter>> create(const std::string& path,
                                                     const WriteOptions& options = {}) = 0;
  // At its end, made with the folders above when it is missing. What is appended is there at once, whole, and
  // stays without a commit; after one, nobody may write there any more.
  virtual Result<std::unique_ptr<FileWriter>> extend(const std::string& path) = 0;
  virtual Result<void> make_folder(const std::string& path) = 0;  // and those above; fine when it is there
  virtual Result<void> make_link(const std::string& target, const std::string& path) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;  // a whole tree too; fine when it is not there
  // False when it is not empty, or no folder: what others put there meanwhile stays.
  virtual Result<bool> remove_empty_folder(const std::string& path) = 0;
  // Until then a power cut may take what was written, whatever its commit said: a file with its name, or all
  // of the disk of `path`.
  virtual Result<void> sync_file(const std::string& path) = 0;
  virtual Result<void> sync_disk(const std::string& path) = 0;
  // False when `path` was there already. An atomic test-and-set between processes.
  virtual Result<bool> create_exclusive(const std::string& path, std::string_view content) = 0;
  // An empty optional when somebody else holds it.
  virtual Result<std::optional<FileLock>> lock(const std::string& path, FileLock::Mode mode) = 0;
};

// The real one.
FileSystem& real_file_system();

// Whole small files. `read_file` refuses one over `limit` bytes.
Result<std::string> read_file(FileSystem& files, const std::string& path, std::uint64_t limit = 1U << 30U);
Result<std::optional<std::string>> read_file_if_there(FileSystem& files, const std::string& path);
Result<void> write_file(FileSystem& files, const std::string& path, std::string_view bytes,
                        const WriteOptions& options = {});

// Pure path arithmetic. `path_join("a", "b/c")`; an absolute second part wins; "" and "." vanish.
std::string path_join(std::string_view base, std::string_view rest);
std::string_view path_folder(std::string_view path);  // "" when there is none
std::string_view path_name(std::string_view path);
// `a/./b//../c` → `a/c`; an empty optional when it climbs above its start.
std::optional<std::string> path_clean(std::string_view path);
// `path` seen from `base` ("" when equal); an empty optional when it does not lie below.
std::optional<std::string> path_below(std::string_view path, std::string_view base);
// Feeds `each` the bytes of a file, or what is left of it, piece by piece.
Result<void> read_pieces(FileReader& reader, const std::stop_token& stop,
                         const std::function<Result<void>(std::string_view)>& each);
Result<void> read_pieces(FileSystem& files, const std::string& path, const std::stop_token& stop,
                         const std::function<Result<void>(std::string_view)>& each);
// The first link among the folders between `base`, which may be one, and what lies at `path` below it; ""
// when there is none. Whoever removes or writes there would reach beyond.
Result<std::string> link_between(FileSystem& files, const std::string& base, std::string_view path);
// Where an absolute path leads once every link on the way is followed, in the order in which whoever opens it
// follows them: a `..` after a link leads up from where that led. What is missing at the end stays as it is.
Result<std::string> follow_links(FileSystem& files, std::string_view path);
// The same from a folder on that no link leads away from. `text_of` is asked of all that is passed, in turn:
// a link's text, and nothing of what is no link.
using LinkTexts = std::function<Result<std::optional<std::string>>(const std::string& path)>;
Result<std::string> follow_links(const LinkTexts& text_of, std::string folder, std::string_view path);
std::string current_folder();
std::string absolute_path(std::string_view path);
std::string real_path(const std::string& path);  // every link followed; as it came when that cannot be done

}  // namespace trainmake
