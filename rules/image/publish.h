// Brings an image from the store to a repository: what is not there yet, then the manifest. What a repository
// has been seen to have is remembered, so that an unchanged layer is not asked for again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/model/event.h"
#include "rules/image/image_store.h"
#include "rules/image/placed_layer.h"
#include "rules/image/pushed_blobs.h"

namespace trainmake {

// Told now and then of something that takes a while, from any thread.
using ByteProgress = std::function<void(const std::string& what, std::uint64_t done, std::uint64_t total)>;

struct Publication {
  Registry& registry;
  const ImageStore& store;
  std::string repository;
  std::vector<std::string> tags;
  std::vector<PlacedBlob> layers;
  BlobRef config;
  Document manifest;
  ByteProgress progress = nullptr;
  std::function<void(const BlobRef& layer)> sent = nullptr;  // one that it did not have; on any thread
};

// `tally` gains what the repository did not have.
Result<void> publish(const Publication& what, PushedBlobs& pushed, Tally& tally, const std::stop_token& stop);

}  // namespace trainmake
