// Hands a Dockerfile to buildah, podman or docker, whichever is there, and takes what it built into the
// store. Knows nothing of what is put on top.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/base/host.h"
#include "rules/image/image_store.h"

namespace trainmake {

struct DockerfileBuild {
  std::string name;          // of the image, in messages
  std::string label;         // of the image, absolute: no two builds of one label are made at once
  std::string dockerfile;    // its key among `files`
  Listing files;             // all that the build sees, their bytes in `blobs`
  std::string architecture;  // as OCI calls it
  std::map<std::string, std::string> secrets;
  std::function<void(const std::string& line)> tell;  // what the tool prints
};

// The manifest of what it built, all of it in the store.
Result<Sha256> build_dockerfile(Host& host, Blobs& blobs, const ImageStore& store,
                                const DockerfileBuild& build, const std::stop_token& stop);

}  // namespace trainmake
