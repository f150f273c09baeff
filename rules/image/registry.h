// Where images go: blobs and manifests by digest, names that point at manifests. The corridor's interface.
// Files that a room looked at for an answer are added to `looks`, unless that is null.
// Thread rule: any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/model/looks.h"
#include "rules/image/tar.h"

namespace trainmake {

struct BlobRef {
  std::string media_type;
  Sha256 digest;
  std::uint64_t size = 0;
};

class Registry {
 public:
  virtual ~Registry() = default;
  // How many bytes it has of a blob; nothing when it has none of that digest.
  virtual Result<std::optional<std::uint64_t>> size_of(const Sha256& digest, Looks* looks) = 0;
  // Takes what `fill` writes; the digest and size are of what was written.
  virtual Result<BlobRef> put(const std::string& media_type,
                              const std::function<Result<void>(const ByteSink&)>& fill) = 0;
  // Points `names` (`vision/mnist:latest`) at the manifest, and nothing else does any more.
  virtual Result<void> name(const BlobRef& manifest, const std::vector<std::string>& names) = 0;
  // The manifest that a name points at.
  virtual Result<std::optional<BlobRef>> find(const std::string& name, Looks* looks) = 0;
};

}  // namespace trainmake
