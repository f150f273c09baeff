// Checks that an image in a registry is what it has to be: its documents are read, every blob is there and is
// what its digest, size and media type say, every layer is the tar of its DiffID, and its tags point at it.
// Streams: a layer is never held whole. Changes nothing.
#pragma once

#include <string>
#include <vector>

#include "rules/image/registry.h"

namespace trainmake {

struct ImageToCheck {
  Registry& registry;
  std::string repository;
  BlobRef image;                       // its manifest or index
  std::vector<std::string> tags = {};  // that should point at it
  // One that we made: its documents are canonical JSON. So many of its layers, the last ones, are as we write
  // them; those below are a base's.
  bool is_ours = false;
  std::size_t own_layers = 0;
};

struct ImageFindings {
  std::vector<Error> wrong;                            // a sentence each
  std::uint64_t manifests = 0, layers = 0, bytes = 0;  // what was read; `bytes` of layers, compressed
};

// An error is that it could not be checked.
Result<ImageFindings> validate(const ImageToCheck& what, const std::stop_token& stop);

}  // namespace trainmake
