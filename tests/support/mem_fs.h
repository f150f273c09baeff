// A file system in memory: files, folders, links and modes, with a clock of its own that ticks at every
// change. It writes down what it is asked, fails where it is told to, and passes the same conformance suite
// as the real one. Relative paths are from its root. Knows no permissions: a mode is kept, not obeyed. Thread
// rule: any thread, as FileSystem has it; the setters and getters of tests while nobody else is at work.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/file_system.h"

namespace trainmake {

struct MemNode {
  Stat stat;
  std::string content;  // of a file; of a link, where it leads
};

class MemFileSystem final : public FileSystem {
 public:
  MemFileSystem();

  // As if by somebody else: not logged, never failing. A file that is there is written into, so its inode
  // stays.
  void put(const std::string& path, std::string_view content, std::uint32_t mode = 0644);
  void put_folder(const std::string& path);
  void put_link(const std::string& path, const std::string& target);
  void put_special(const std::string& path);  // a pipe, say
  void touch(const std::string& path);        // new times, same content
  void take_away(const std::string& path);

  bool has(const std::string& path);
  std::string content(const std::string& path);  // REQUIRES: it is a file
  // Every file and link in it, sorted, from the root without the first slash.
  std::vector<std::string> all_files();

  // What was asked since the last call: "look a", "look a/b follow", "list a", "open a/b", "read_link a",
  // "create a/b", "write a/b", "commit a/b", "take_copy a/b", "make_folder a", "make_link a", "rename a b",
  // "remove a", "remove_empty_folder a", "sync_file a", "sync_disk a", "create_exclusive a". A look_at_all is
  // one "look_at_all a".
  std::vector<std::string> take_log();
  // Lets what would be logged as `line` fail, every time, until errno 0 takes that back.
  void refuse(const std::string& line, int error_number);
  // Lets the nth (from 1) of the coming calls that are logged with `verb` fail, once.
  void fail_nth(const std::string& verb, int nth, int error_number);
  // Called with each path that has just been opened, before the first byte is read; may change files.
  std::function<void(const std::string&)> on_open;
  std::set<std::string> locked;  // by somebody else
  std::int64_t now_ns = 1'600'000'000'000'000'000;

  Result<Stat> look(const std::string& path, Links links = Links::kKeep) override;
  Result<void> look_at_all(const std::string& folder, std::span<const std::string_view> names,
                           std::span<Stat> into, Links links = Links::kKeep) override;
  Result<std::vector<FolderEntry>> list(const std::string& folder) override;
  Result<std::string> read_link(const std::string& path) override;
  Result<std::unique_ptr<FileReader>> open(const std::string& path) override;
  Result<std::unique_ptr<FileWriter>> create(const std::string& path,
                                             const WriteOptions& options = {}) override;
  Result<std::unique_ptr<FileWriter>> extend(const std::string& path) override;
  Result<void> make_folder(const std::string& path) override;
  Result<void> make_link(const std::string& target, const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<bool> remove_empty_folder(const std::string& path) override;
  Result<void> sync_file(const std::string& path) override;
  Result<void> sync_disk(const std::string& path) override;
  Result<bool> create_exclusive(const std::string& path, std::string_view content) override;
  Result<std::optional<FileLock>> lock(const std::string& path, FileLock::Mode) override {
    if (locked.contains(path)) return std::optional<FileLock>();
    return FileLock::of_nothing();
  }

 private:
  friend class MemReader;
  friend class MemWriter;
  friend class MemExtender;
  struct Place;
  using Node = std::shared_ptr<MemNode>;

  int asked(const std::string& verb, const std::string& rest);  // logs; the errno to fail with, or 0
  Place resolve(const std::string& path, Links links) const;
  int look_locked(const std::string& path, Links links, Stat& into) const;
  int make_folder_locked(const std::string& path);
  int add(const std::string& path, FileKind kind, std::string content, std::uint32_t mode);
  void changed_in_folder_of(const std::string& key);
  bool has_children(const std::string& key) const;
  std::int64_t tick() { return now_ns += 1'000'000; }

  std::mutex mutex_;
  std::map<std::string, Node> nodes_;  // by absolute path
  std::uint64_t last_inode_ = 1;
  std::vector<std::string> log_;
  std::map<std::string, int> refused_;                     // by line
  std::map<std::string, std::pair<int, int>> countdowns_;  // by verb: how many to go, then errno
};

}  // namespace trainmake
