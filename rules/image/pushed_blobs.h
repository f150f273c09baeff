// What is remembered of repositories: the blobs that each has been seen to have.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rules/image/image_store.h"
#include "rules/image/places.h"

namespace trainmake {

// What one repository has, as far as we know: it is asked again when it refuses a manifest.
class PushedBlobs {
 public:
  // Of a layout nothing is remembered.
  static Result<PushedBlobs> read(Host& host, const ImageStore& store, const ImagePlace& place);

  bool has(const Sha256& digest) const { return digests_.contains(digest); }
  bool empty() const { return digests_.empty(); }
  // Another repository of the same host that has a blob, as far as we know; "" is none.
  Result<std::string> elsewhere(const Sha256& digest) const;
  // Whether that is so as long as our last manifests are there, which name it: registries remove what none
  // names.
  bool is_kept(const Sha256& digest) const { return kept_.contains(digest) || keeps_.contains(digest); }
  void add(const Sha256& digest) { digests_.insert(digest); }
  // A manifest, which is the last that was sent, and the blobs that it names.
  void add_last(const Sha256& manifest, const std::vector<Sha256>& blobs) {
    add(*(last_ = manifest));
    keeps_.insert(blobs.begin(), blobs.end());
  }
  const std::optional<Sha256>& last() const { return last_; }
  void forget() { digests_.clear(), kept_.clear(), keeps_.clear(), last_.reset(); }
  Result<void> write() const;

 private:
  PushedBlobs(Host& host, std::string folder) : host_(&host), folder_(std::move(folder)) {}
  std::string path() const;

  Host* host_;
  std::string folder_;
  std::string registry_, repository_;  // "" and its repository are the layout
  std::set<Sha256> digests_;
  std::optional<Sha256> last_;
  std::set<Sha256> kept_;   // what the manifests of the last delivery name
  std::set<Sha256> keeps_;  // those of this one
};

}  // namespace trainmake
