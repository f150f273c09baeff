// What a command changed in a root of layers, as a layer of its own: what overlayfs kept of it, in the words
// of OCI. Knows nothing of what ran.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/secrets.h"
#include "rules/image/tar.h"

namespace trainmake {

struct Change {
  TarEntry entry;
  std::string source = {};  // of a file with content: where that lies
};

struct Difference {
  std::vector<Change> changes;        // in the order of the tar; none when all is as it was
  std::vector<std::string> left_out;  // sockets and the like, which no layer holds
};

// `upper` is the upper folder of an overlay over `layers`, the top one first; nothing of it is in use any
// more, and it is made readable. What is as it was below is no change, whenever it was written. Without root,
// all that is ours is root's.
Result<Difference> find_difference(const std::string& upper, const std::vector<std::string>& layers);

// As a tar. An error that names the file when one of the secrets stands in it.
Result<void> write_difference(const Difference& difference, const Secrets& secrets, const ByteSink& sink,
                              const std::stop_token& stop);

}  // namespace trainmake
