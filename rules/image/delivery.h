// Brings the images of one target to where they go: manifests, an index when there are several, and tags.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/artifact.h"
#include "rules/image/editions.h"
#include "rules/image/image_store.h"
#include "rules/image/layer.h"
#include "rules/image/places.h"
#include "rules/image/publish.h"
#include "rules/image/relay.h"

namespace trainmake {

// One edition, its own layers in the store and those of its base there or where the base lies.
struct MadeImage {
  Edition edition;
  std::vector<PlacedLayer> layers;
  BlobRef config;
  Document manifest;
};

struct Delivery {
  const ImagePlace& place;
  const ImageStore& store;
  PushedBlobs pushed;
  Tally& tally;
  std::stop_token stop;
  ByteProgress progress;
  std::map<Sha256, std::uint64_t> new_layers = {};  // that the place did not have: their sizes
  std::vector<std::unique_ptr<Relay>> relays = {};  // layers that are on their way already

  // Of a layer that was made or fetched: a layout has it by that, another registry when it was sent.
  void add_new(const BlobRef& layer) {
    if (place.is_layout() && store.take_new(layer.digest)) new_layers.emplace(layer.digest, layer.size);
  }
};

// Whether a layer need not be built: it lies in the store or, for another registry, there.
Result<bool> is_at_hand(const Layer& layer, const Delivery& delivery);
// The same as far as it can be told without asking anybody.
Result<bool> is_there(const Layer& layer, const ImagePlace& place, const PushedBlobs& pushed,
                      const ImageStore& store);

// What an artifact is that the tags of a variant point at: this, and the variant's name.
inline constexpr std::string_view kVariantRole = "variant:";

struct Delivered {
  BlobRef image;                            // what the tags point at
  std::map<std::string, BlobRef> variants;  // what `<tag>-<variant>` points at
};

// `tags` point at all editions, `<tag>-<variant>` at those of a variant. REQUIRES: some editions.
Result<Delivered> deliver(const std::vector<MadeImage>& editions, const std::vector<std::string>& tags,
                          Delivery& delivery);

std::vector<std::string> tags_of_variant(const std::vector<std::string>& tags, const std::string& variant);

}  // namespace trainmake
