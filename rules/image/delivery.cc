#include "rules/image/delivery.h"

#include <algorithm>
#include <mutex>

#include "engine/base/text.h"
#include "rules/image/manifest_json.h"

namespace trainmake {
namespace {

using Editions = std::vector<const MadeImage*>;

std::vector<PlacedBlob> blobs_of(const MadeImage& made) {
  std::vector<PlacedBlob> blobs;
  for (const PlacedLayer& layer : made.layers) blobs.push_back(layer.blob());
  return blobs;
}

Result<void> send_layers(const MadeImage& made, Delivery& delivery) {
  for (const PlacedLayer& layer : made.layers) {
    TRY(fetch(layer.blob(), delivery.store, delivery.stop));
    delivery.add_new(layer.layer.blob);
  }
  return {};
}

// A layout takes what lies in the store already.
Result<void> send_manifest(const MadeImage& made, const std::vector<std::string>& tags, Delivery& delivery) {
  const ImagePlace& place = delivery.place;
  const BlobRef manifest = made.manifest.ref();
  if (!place.is_layout()) {
    TRY(delivery.store.make(kManifestType, made.manifest.bytes));
    std::mutex mutex;
    const auto sent = [&](const BlobRef& layer) {
      const std::lock_guard lock(mutex);
      delivery.new_layers.emplace(layer.digest, layer.size);
    };
    const Publication what{*place.registry, delivery.store, place.repository,  tags, blobs_of(made),
                           made.config,     made.manifest,  delivery.progress, sent};
    return publish(what, delivery.pushed, delivery.tally, delivery.stop);
  }
  TRY(send_layers(made, delivery));
  TRY_ASSIGN(const auto known, delivery.store.size_of(manifest.digest, nullptr));
  TRY(place.registry->put_manifest(place.repository, made.manifest, tags, delivery.stop));
  if (known) return {};
  delivery.tally.pushed_manifests += 1;
  delivery.tally.pushed_bytes += made.config.size + manifest.size;
  return {};
}

// REQUIRES: the manifests are there.
Result<BlobRef> send_index(const Editions& parts, const std::vector<std::string>& tags, Delivery& delivery) {
  std::vector<IndexEntry> entries;
  for (const MadeImage* part : parts)
    entries.push_back({part->manifest.ref(), part->edition.architecture, part->edition.variant});
  const Document index{kIndexType, render_index(entries)};
  const Sha256 digest = index.ref().digest;
  const ImagePlace& place = delivery.place;
  TRY_ASSIGN(const auto here, delivery.store.size_of(digest, nullptr));
  const bool known = place.is_layout() ? here.has_value() : delivery.pushed.has(digest);
  TRY(delivery.store.make(kIndexType, index.bytes));
  TRY(place.registry->put_manifest(place.repository, index, tags, delivery.stop));
  if (!known) {
    delivery.tally.pushed_manifests += 1;
    delivery.tally.pushed_bytes += index.bytes.size();
  }
  if (!place.is_layout()) {
    delivery.pushed.add(digest);
    TRY(delivery.pushed.write());
  }
  return index.ref();
}

// One edition is its manifest; several are an index of theirs.
Result<BlobRef> point(const Editions& parts, const std::vector<std::string>& tags, Delivery& delivery) {
  if (parts.size() > 1) return send_index(parts, tags, delivery);
  TRY(send_manifest(*parts.front(), tags, delivery));
  return parts.front()->manifest.ref();
}

// What did not arrive that way is sent as all others are.
void wait_for_relays(Delivery& delivery) {
  for (const std::unique_ptr<Relay>& relay : delivery.relays) {
    if (!relay->wait()) continue;
    delivery.pushed.add(relay->layer().digest);
    delivery.tally.pushed_layers += 1;
    delivery.tally.pushed_bytes += relay->layer().size;
    delivery.new_layers.emplace(relay->layer().digest, relay->layer().size);
  }
  delivery.relays.clear();
}

std::vector<std::string> variants_of(const std::vector<MadeImage>& editions) {
  std::vector<std::string> variants;
  for (const MadeImage& made : editions) {
    const std::string& variant = made.edition.variant;
    if (!variant.empty() && std::find(variants.begin(), variants.end(), variant) == variants.end())
      variants.push_back(variant);
  }
  return variants;
}

}  // namespace

std::vector<std::string> tags_of_variant(const std::vector<std::string>& tags, const std::string& variant) {
  std::vector<std::string> all;
  for (const std::string& tag : tags) all.push_back(cat(tag, "-", variant));
  return all;
}

Result<bool> is_at_hand(const Layer& layer, const Delivery& delivery) {
  const ImagePlace& place = delivery.place;
  TRY_ASSIGN(const std::optional<std::uint64_t> here, delivery.store.size_of(layer.blob.digest, nullptr));
  if (here == layer.blob.size) return true;
  if (place.is_layout()) return false;
  if (delivery.pushed.is_kept(layer.blob.digest)) return true;
  TRY_ASSIGN(const std::optional<std::uint64_t> there,
             place.registry->size_of(place.repository, layer.blob.digest, nullptr, delivery.stop));
  return there.has_value();
}

Result<bool> is_there(const Layer& layer, const ImagePlace& place, const PushedBlobs& pushed,
                      const ImageStore& store) {
  if (!place.is_layout()) return pushed.has(layer.blob.digest);
  TRY_ASSIGN(const std::optional<std::uint64_t> size, store.size_of(layer.blob.digest, nullptr));
  return size == layer.blob.size;
}

Result<Delivered> deliver(const std::vector<MadeImage>& editions, const std::vector<std::string>& tags,
                          Delivery& delivery) {
  wait_for_relays(delivery);
  Delivered delivered;
  Editions all;
  for (const MadeImage& made : editions) all.push_back(&made);
  if (all.size() > 1) {
    for (const MadeImage* made : all) TRY(send_manifest(*made, {}, delivery));
  }
  TRY_ASSIGN(delivered.image, point(all, tags, delivery));
  for (const std::string& variant : variants_of(editions)) {
    Editions parts;
    std::copy_if(all.begin(), all.end(), std::back_inserter(parts),
                 [&](const MadeImage* made) { return made->edition.variant == variant; });
    TRY_ASSIGN(delivered.variants[variant], point(parts, tags_of_variant(tags, variant), delivery));
  }
  return delivered;
}

}  // namespace trainmake
