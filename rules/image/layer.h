// Turns a tree of files into a layer, and remembers which layer a tree became, so that an unchanged tree is
// neither tarred nor hashed again. Files are read where they lie, in the cache or in the workspace, once.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "rules/image/compress.h"
#include "rules/image/image_store.h"

namespace trainmake {

struct Layer {
  BlobRef blob;    // compressed
  Sha256 diff_id;  // uncompressed: what it is, however it was compressed
};

// Which layer something became, as it is remembered.
std::string render_memo(const Layer& layer);
std::optional<Layer> parse_memo(std::string_view text, Compression compression);

// What a layer is made of: all that its bytes depend on.
struct LayerKey {
  std::string tree;  // identity
  std::string dest;  // absolute folder in the image
  Compression compression = Compression::kGzip;
};

struct LayerSource {
  LayerKey key;
  // What lies there. Asked for only when the layer is built.
  std::function<Result<Listing>()> files;
  std::uint64_t bytes = 0;                              // of them, at least
  std::function<void(std::uint64_t)> packed = nullptr;  // told now and then how many are in the layer
  // Asked each time that its making begins, who gets its bytes as well; on another thread, and null is
  // nobody.
  std::function<ByteSink()> also = nullptr;
};

class Layers {
 public:
  Layers(Host& host, const Workspace& workspace, Blobs& blobs, const ImageStore& store);
  // What this became before, wherever that lies now.
  Result<std::optional<Layer>> remembered(const LayerKey& key);
  // Into the store. An error when a file is not what was listed, and not when it is read once more either;
  // one whose bytes in the cache are damaged is removed there.
  Result<Layer> build(const LayerSource& source, const std::stop_token& stop);
  // Where it is remembered.
  std::string memo_path(const LayerKey& key) const;

 private:
  Result<Layer> make(const LayerSource& source, const Listing& files, const ListedFile*& differing,
                     const std::stop_token& stop);
  Result<const ListedFile*> write_tar(const Listing& files, const std::string& dest, const ByteSink& sink);
  Result<bool> copy_into(const ListedFile& file, TarWriter& tar);
  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
  const ImageStore& store_;
};

}  // namespace trainmake
