// Brings an image from the store to a repository: what is not there yet, then the manifest. What a repository
// has been seen to have is remembered, so that an unchanged layer is not asked for again.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/model/event.h"
#include "rules/image/image_store.h"

namespace trainmake {

// What a repository has, as far as we know: it is asked again when it refuses a manifest.
class PushedBlobs {
 public:
  // `place` names the repository, wherever its registry is; "" is one of which nothing is remembered.
  static Result<PushedBlobs> read(Host& host, const ImageStore& store, const std::string& place);
  bool has(const Sha256& digest) const { return digests_.contains(digest); }
  void add(const Sha256& digest) { digests_.insert(digest); }
  void forget() { digests_.clear(); }
  Result<void> write() const;

 private:
  PushedBlobs(Host& host, std::string path) : host_(&host), path_(std::move(path)) {}
  Host* host_;
  std::string path_;
  std::set<Sha256> digests_;
};

// A layer on its way. It lies in the store or, as those of a base, in a repository.
struct SentLayer {
  BlobRef blob;
  Registry* from = nullptr;
  std::string repository = {};
};

// Into the store, unless it is there.
Result<void> fetch(const SentLayer& layer, const ImageStore& store, const std::stop_token& stop);

struct Publication {
  Registry& registry;
  const ImageStore& store;
  std::string repository;
  std::vector<std::string> tags;
  std::vector<SentLayer> layers;
  BlobRef config;
  Document manifest;
};

// `tally` gains what the repository did not have.
Result<void> publish(const Publication& what, PushedBlobs& pushed, Tally& tally, const std::stop_token& stop);

}  // namespace trainmake
