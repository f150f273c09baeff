// Where images go: repositories with blobs and manifests by digest, and tags that point at manifests. The
// corridor's interface. Files that a room looked at for an answer are added to `looks`, unless that is null.
// Thread rule: any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
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

// A manifest or an index: small, and held whole.
struct Document {
  std::string media_type;
  std::string bytes;

  BlobRef ref() const { return {media_type, sha256_of(bytes), bytes.size()}; }
};

// A tag, or `sha256:` and 64 digits.
struct Named {
  std::string repository;
  std::string reference;
};

// How a registry that is somewhere else is reached.
struct RemotePlace {
  std::string host;       // with its port, as logins name it
  std::string url = {};   // `https://registry.example.com`; else https, or plain http on loopback
  bool insecure = false;  // plain http, wherever it is
  std::string ca = {};    // a file of certificates whose holders may vouch for it, absolute

  bool operator==(const RemotePlace&) const = default;
};

// Told, on any thread, why a registry is asked again: "`hub.example.com` does not answer".
using WaitNotice = std::function<void(std::string why)>;

class BlobSource;

class Registry {
 public:
  virtual ~Registry() = default;
  // As references name it; "" is a layout.
  virtual std::string host() const = 0;
  // How many bytes a repository has of a blob, 0 when it does not tell; nothing when it has none of that
  // digest.
  virtual Result<std::optional<std::uint64_t>> size_of(const std::string& repository, const Sha256& digest,
                                                       Looks* looks, const std::stop_token& stop) = 0;
  // Takes a blob, verified.
  virtual Result<void> put(const std::string& repository, BlobSource& blob, const std::stop_token& stop) = 0;
  // Has a blob by another of its repositories; false when that cannot be done.
  virtual Result<bool> mount(const std::string& repository, const BlobRef& blob, const std::string& from,
                             const std::stop_token& stop) = 0;
  // Gives a blob, or a manifest by its media type, verified when it returns well: what was given before an
  // error is of no use.
  virtual Result<void> read(const std::string& repository, const BlobRef& blob, const ByteSink& sink,
                            const std::stop_token& stop) = 0;
  // Has the manifest or index, by its digest, and points `tags` at it, and nothing else of that repository.
  virtual Result<void> put_manifest(const std::string& repository, const Document& manifest,
                                    const std::vector<std::string>& tags, const std::stop_token& stop) = 0;
  // What manifest or index that is; nothing when there is none.
  virtual Result<std::optional<BlobRef>> find(const Named& named, Looks* looks,
                                              const std::stop_token& stop) = 0;
};

}  // namespace trainmake
