// Compresses a stream and digests it: what makes a blob of a tar. Pieces are compressed, digested and passed
// on beside each other once there are several, a bounded number of them at a time; the bytes are the same
// however many threads do it. Knows nothing of tar.
#pragma once

#include <memory>
#include <string_view>

#include "engine/base/hash.h"
#include "rules/image/compress.h"
#include "rules/image/tar.h"

namespace trainmake {

class Packer {
 public:
  // `sink` gets what is compressed, in order, on a thread of its own, or in `finish` when there is little: it
  // is not called again after an error, nor after finish.
  Packer(Compression compression, unsigned threads, ByteSink sink);
  ~Packer();
  // Waits while enough is under way. The error of the sink is told here some time later, or by finish.
  Result<void> add(std::string_view bytes);
  Result<Sha256> finish();  // of what was added

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace trainmake
