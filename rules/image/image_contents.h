// An image that was made before, to be handed to somebody else: all that it consists of, and where its bytes
// are. Knows nothing of who takes it.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "rules/image/documents.h"
#include "rules/image/image_store.h"
#include "rules/image/registry.h"

namespace trainmake {

// Where an image went, as its record says: `oci:vision/mnist:latest@sha256:…` is the workspace's layout,
// `registry:hub.example.com/vision/mnist:latest@sha256:…` another registry.
struct ImageAddress {
  std::string host;  // "" is the layout
  std::string repository;
  std::string tag;
  Sha256 digest;

  std::string name(const std::string& of_tag) const;  // as docker would call it
};
std::optional<ImageAddress> parse_image_address(std::string_view text);

// The store, and the repository that an image was sent to, for what is not in the store.
struct ImageSource {
  Registry& layout;  // of the store
  const ImageStore& store;
  Registry* remote = nullptr;
  std::string repository = {};

  // As Registry::read.
  Result<void> read(const BlobRef& blob, const ByteSink& sink, const std::stop_token& stop) const;
};

// What is wanted: a manifest or an index, and the names that point at it.
struct NamedImage {
  Sha256 digest;
  std::uint64_t size = 0;
  std::vector<std::string> names;
};

struct ImageContents {
  struct Image {
    BlobRef blob;
    std::vector<std::string> names;
    ImageManifest here;  // of an index the one for machines like this, else its first
  };
  std::vector<Image> images;
  std::map<Sha256, BlobRef> blobs;          // all of them, documents, too
  std::map<Sha256, std::string> documents;  // indices, manifests and configs, read

  std::uint64_t bytes() const;
};

// Every layer is there, as far as looking tells.
Result<ImageContents> read_contents(const ImageSource& source, const std::vector<NamedImage>& images,
                                    const std::stop_token& stop);

}  // namespace trainmake
