// Turns a tree of code into a layer, and remembers which layer a tree became, so that an unchanged tree is
// neither tarred nor hashed again.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/base/host.h"
#include "rules/image/image_store.h"

namespace trainmake {

struct Layer {
  BlobRef blob;    // compressed
  Sha256 diff_id;  // uncompressed: what it is, however it was compressed
};

struct LayerSource {
  std::string tree;  // identity
  std::string dest;  // absolute folder in the image
  // What lies there, its bytes in the cache. Asked for only when the layer is built.
  std::function<Result<Listing>()> files;
};

class Layers {
 public:
  Layers(Host& host, std::string cache_folder, Blobs& blobs, const ImageStore& store);
  // What this tree became before, wherever that lies now.
  Result<std::optional<Layer>> remembered(const std::string& tree, const std::string& dest);
  // Into the store. A file whose bytes in the cache are damaged is removed there, and an error.
  Result<Layer> build(const LayerSource& source, const std::stop_token& stop);

 private:
  std::string memo_path(const std::string& tree, const std::string& dest) const;
  Result<void> write_tar(const Listing& files, const std::string& dest, const ByteSink& sink);
  Result<void> copy_into(const ListedFile& file, TarWriter& tar);
  Host& host_;
  std::string folder_;
  Blobs& blobs_;
  const ImageStore& store_;
};

}  // namespace trainmake
