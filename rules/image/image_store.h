// The blobs of images on this machine, by digest: `blobs/sha256` of the OCI layout in the cache. What is
// built lies here before it goes anywhere. Thread rule: any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/host.h"
#include "engine/model/looks.h"
#include "engine/model/project.h"
#include "rules/image/registry.h"

namespace trainmake {

class ImageStore {
 public:
  // Looks are told from `workspace_root`.
  ImageStore(Host& host, std::string folder, std::string workspace_root);
  static ImageStore of(Host& host, const Workspace& workspace);

  // Whether a blob was there and was not what its digest says: then it is removed.
  Result<bool> drop_if_damaged(const Sha256& digest, const std::stop_token& stop) const;
  FileSystem& files() const { return host_.files; }
  const std::string& folder() const { return folder_; }
  std::string path(const Sha256& digest) const;
  Result<Stat> look(const std::string& path, Looks* looks) const;
  Result<std::optional<std::uint64_t>> size_of(const Sha256& digest, Looks* looks) const;
  // Takes what `fill` writes; the digest and size are of what was written.
  Result<BlobRef> make(const std::string& media_type,
                       const std::function<Result<void>(const ByteSink&)>& fill) const;
  Result<BlobRef> make(const std::string& media_type, std::string_view bytes) const;
  Result<std::optional<std::string>> read(const Sha256& digest) const;  // a document
  // Whether `make` brought it, and it was not there before; true once.
  bool take_new(const Sha256& digest) const;

 private:
  Result<void> in_folder(Result<void> written, const std::string& path) const;
  Host& host_;
  std::string folder_;
  std::string root_;
  struct Made;
  std::shared_ptr<Made> made_;
};

}  // namespace trainmake
