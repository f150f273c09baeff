// The image that another is built on, as its registry has it: which manifest a name stands for on a platform,
// its layers and its config. None of its layers' bytes.
#pragma once

#include <string>
#include <vector>

#include "rules/image/image_store.h"
#include "rules/image/placed_layer.h"
#include "rules/image/registry.h"

namespace trainmake {

// Where an image to build on lies, and what it is called in an error.
struct BaseSource {
  Registry* registry = nullptr;
  std::string repository;
  std::string name;
};

struct Base {
  BaseSource source;
  std::vector<PlacedLayer> layers;  // where they lie when the store has them not: with the source
  std::string config;               // JSON
};

// The manifest for `architecture` that `reference`, a tag or a digest, stands for now.
Result<Sha256> resolve_base(const BaseSource& source, const std::string& reference,
                            const std::string& architecture, const std::stop_token& stop);

// Whether `read_base` would ask nobody.
Result<bool> base_is_kept(const Sha256& manifest, const ImageStore& store);

// What is built on, of its two documents.
Result<Base> base_of(const BaseSource& source, const std::string& architecture, const std::string& manifest,
                     std::string config);
// The same. Its manifest and config are asked for once, and kept in the store.
Result<Base> read_base(const BaseSource& source, const Sha256& manifest, const std::string& architecture,
                       const ImageStore& store, const std::stop_token& stop);

}  // namespace trainmake
