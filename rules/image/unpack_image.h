// Layers of images unpacked on this machine, for commands to be run in them: those that lie here, and those
// that still lie in a registry. Knows nothing of what is run.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/container/unpacked_layers.h"
#include "engine/model/artifact.h"
#include "engine/model/project.h"
#include "rules/image/documents.h"
#include "rules/image/image_contents.h"
#include "rules/image/placed_layer.h"

namespace trainmake {

// Where they are kept: what this user's workspaces share, or else what is this workspace's alone.
std::string unpacked_layers_folder(const Environment& environment, const Workspace& workspace);

// Of a layer, whether it is taken as it lies there.
using TrustIn = std::function<UnpackedLayers::Trust(const Sha256& diff_id)>;

// The top one first. One that occurs twice is taken once: what is above hides all of it below, and overlayfs
// refuses a folder that is named twice. `on_unpack` is called once, when there is something to unpack.
Result<std::vector<UnpackedLayer>> unpack_layers(const UnpackedLayers& unpacked,
                                                 const std::vector<PlacedLayer>& layers,
                                                 const ImageStore& store, const TrustIn& trust_in,
                                                 const std::function<void()>& on_unpack,
                                                 const std::stop_token& stop);

// The manifest among an image's artifacts that fits this machine. Of several variants that named `gpu` when
// the job has accelerators, else that named `cpu`, else the first. nullptr when none is for such a machine.
const Artifact* manifest_for_here(const Artifacts& image, bool accelerated);
const Artifact* manifest_for(const std::string& architecture, const Artifacts& image, bool accelerated);

struct UnpackedImage {
  std::vector<Sha256> layers;  // the top one first, each once
  CommandConfig config;
};

// What a manifest names, its layers in `unpacked`.
Result<UnpackedImage> unpack_image(const UnpackedLayers& unpacked, const ImageSource& source,
                                   const Artifact& manifest, const TrustIn& trust_in,
                                   const std::function<void()>& on_unpack, const std::stop_token& stop);

}  // namespace trainmake
