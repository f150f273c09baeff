#include "rules/image/unpack_image.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/base/disk_space.h"
#include "engine/base/text.h"
#include "rules/image/editions.h"
#include "rules/image/manifest_json.h"

namespace trainmake {
namespace {

// A document of the image: here, else where it was sent.
Result<std::string> document(const ImageSource& source, const BlobRef& blob, const std::stop_token& stop) {
  std::string bytes;
  TRY(source.read(
      blob,
      [&](std::string_view more) -> Result<void> {
        bytes += more;
        return {};
      },
      stop));
  return bytes;
}

// Unpacked they are larger than this, but how much is not known before.
Result<void> check_room_for(const UnpackedLayers& unpacked, const std::vector<PlacedLayer>& layers) {
  std::uint64_t bytes = 0;
  std::set<Sha256> counted;
  for (const PlacedLayer& placed : layers) {
    if (!counted.insert(placed.layer.diff_id).second) continue;
    TRY_ASSIGN(const bool there, unpacked.has(placed.layer.diff_id));
    if (!there) bytes += placed.layer.blob.size;
  }
  return check_room(unpacked.folder(), bytes, "the image's layers, unpacked");
}

}  // namespace

std::string unpacked_layers_folder(const Environment& environment, const Workspace& workspace) {
  std::string folder = UnpackedLayers::shared_folder(environment);
  return folder.empty() ? path_join(workspace.cache, "unpacked/layers") : folder;
}

Result<std::vector<UnpackedLayer>> unpack_layers(const UnpackedLayers& unpacked,
                                                 const std::vector<PlacedLayer>& layers,
                                                 const ImageStore& store, const TrustIn& trust_in,
                                                 const std::function<void()>& on_unpack,
                                                 const std::stop_token& stop) {
  std::vector<UnpackedLayer> taken;
  std::set<Sha256> seen;
  bool told = false;
  for (std::size_t i = layers.size(); i-- > 0;) {
    const PlacedLayer& placed = layers[i];
    const Sha256& diff_id = placed.layer.diff_id;
    if (!seen.insert(diff_id).second) continue;
    const auto blob = [&]() -> Result<std::string> {
      if (!std::exchange(told, true)) {
        TRY(check_room_for(unpacked, layers));
        on_unpack();
      }
      TRY(fetch(placed.blob(), store, stop));
      return store.path(placed.layer.blob.digest);
    };
    const UnpackedLayers::Trust trust = trust_in(diff_id);
    Result<UnpackedLayer> layer = unpacked.take(diff_id, blob, stop, trust);
    if (!layer && layer.error().blame != Blame::kInterrupted) {
      TRY_ASSIGN(const bool was_damaged, store.drop_if_damaged(placed.layer.blob.digest, stop));
      if (was_damaged) layer = unpacked.take(diff_id, blob, stop, trust);
    }
    if (!layer) return fail(std::move(layer).error());
    taken.push_back(*std::move(layer));
  }
  return taken;
}

const Artifact* manifest_for_here(const Artifacts& image, bool accelerated) {
  return manifest_for(architecture_of_this_machine(), image, accelerated);
}

const Artifact* manifest_for(const std::string& architecture, const Artifacts& image, bool accelerated) {
  for (const char* variant : {accelerated ? "gpu" : "cpu", ""}) {
    const Edition edition{variant, architecture, ""};
    if (const Artifact* found = find_role(image, manifest_role(edition.name()))) return found;
  }
  const auto first = std::find_if(image.begin(), image.end(), [&](const Artifact& artifact) {
    return artifact.role.starts_with(manifest_role("")) && artifact.role.ends_with(cat("/", architecture));
  });
  return first == image.end() ? nullptr : &*first;
}

Result<UnpackedImage> unpack_image(const UnpackedLayers& unpacked, const ImageSource& source,
                                   const Artifact& manifest, const TrustIn& trust_in,
                                   const std::function<void()>& on_unpack, const std::stop_token& stop) {
  const std::optional<Sha256> digest = Sha256::parse(manifest.sha256);
  CHECK(digest.has_value());
  TRY_ASSIGN(const std::string bytes, document(source, {kManifestType, *digest, manifest.size}, stop));
  TRY_ASSIGN(const ImageManifest parsed, parse_image_manifest(bytes));
  TRY_ASSIGN(const std::string config, document(source, parsed.config, stop));
  TRY_ASSIGN(const ConfigFacts facts, parse_image_config(config));
  if (facts.diff_ids.size() != parsed.layers.size())
    return fail(step_error(cat("The image's manifest has ", plural(parsed.layers.size(), "layer"),
                               " and its config ", facts.diff_ids.size()),
                           "`--force` on the image makes it again"));
  std::vector<PlacedLayer> layers;
  for (std::size_t i = 0; i < parsed.layers.size(); ++i)
    layers.push_back({{parsed.layers[i], facts.diff_ids[i]}, source.remote, source.repository});
  TRY_ASSIGN(const std::vector<UnpackedLayer> taken,
             unpack_layers(unpacked, layers, source.store, trust_in, on_unpack, stop));
  UnpackedImage image{{}, command_config_of(config)};
  for (std::size_t i = facts.diff_ids.size(); i-- > 0;) {
    if (std::find(image.layers.begin(), image.layers.end(), facts.diff_ids[i]) == image.layers.end())
      image.layers.push_back(facts.diff_ids[i]);
  }
  return image;
}

}  // namespace trainmake
