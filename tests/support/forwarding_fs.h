// A file system that does what another one does, to be changed in one place by a test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/file_system.h"

namespace trainmake {

class ForwardingFileSystem : public FileSystem {
 public:
  explicit ForwardingFileSystem(FileSystem& inner) : inner_(inner) {}

  Result<Stat> look(const std::string& path, Links links) override { return inner_.look(path, links); }
  Result<void> look_at_all(const std::string& folder, std::span<const std::string_view> names,
                           std::span<Stat> into, Links links) override {
    return inner_.look_at_all(folder, names, into, links);
  }
  Result<std::vector<FolderEntry>> list(const std::string& folder) override { return inner_.list(folder); }
  Result<std::string> read_link(const std::string& path) override { return inner_.read_link(path); }
  Result<std::unique_ptr<FileReader>> open(const std::string& path) override { return inner_.open(path); }
  Result<std::unique_ptr<FileWriter>> create(const std::string& path, const WriteOptions& options) override {
    return inner_.create(path, options);
  }
  Result<std::unique_ptr<FileWriter>> extend(const std::string& path) override { return inner_.extend(path); }
  Result<void> make_folder(const std::string& path) override { return inner_.make_folder(path); }
  Result<void> make_link(const std::string& target, const std::string& path) override {
    return inner_.make_link(target, path);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return inner_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override { return inner_.remove(path); }
  Result<bool> remove_empty_folder(const std::string& path) override {
    return inner_.remove_empty_folder(path);
  }
  Result<void> sync_file(const std::string& path) override { return inner_.sync_file(path); }
  Result<void> sync_disk(const std::string& path) override { return inner_.sync_disk(path); }
  Result<bool> create_exclusive(const std::string& path, std::string_view content) override {
    return inner_.create_exclusive(path, content);
  }
  Result<std::optional<FileLock>> lock(const std::string& path, FileLock::Mode mode) override {
    return inner_.lock(path, mode);
  }

 private:
  FileSystem& inner_;
};

}  // namespace trainmake
