// Takes the bytes of a layer as a registry has them, and gives what they were made from, piece by piece: gzip
// of any number of members, zstd of any number of frames, or what was not compressed. Knows nothing of tar.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "rules/image/compress.h"
#include "rules/image/tar.h"

namespace trainmake {

// As a layer's media type says; nothing of one that is not compressed.
std::optional<Compression> compression_of(std::string_view media_type);

class Uncompressor {
 public:
  Uncompressor(std::optional<Compression> compression, ByteSink sink);
  ~Uncompressor();
  Result<void> add(std::string_view bytes);
  Result<void> finish();  // an error when the bytes ended in the middle

  class Stream;

 private:
  std::unique_ptr<Stream> stream_;
};

}  // namespace trainmake
