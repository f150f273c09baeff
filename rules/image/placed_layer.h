// Layers of an image that is being made, and where their bytes are until somebody wants them.
#pragma once

#include <stop_token>
#include <string>

#include "rules/image/image_store.h"
#include "rules/image/layer.h"

namespace trainmake {

// A blob that is wanted somewhere. It lies in the store or, as those of a base do at first, in a repository.
struct PlacedBlob {
  BlobRef blob;
  Registry* from = nullptr;  // where to look when the store has it not
  std::string repository = {};
};

// A layer of an image that is being made.
struct PlacedLayer {
  Layer layer;
  Registry* from = nullptr;
  std::string repository = {};

  PlacedBlob blob() const { return {layer.blob, from, repository}; }
};

// Into the store, unless it is there.
Result<void> fetch(const PlacedBlob& wanted, const ImageStore& store, const std::stop_token& stop);

}  // namespace trainmake
