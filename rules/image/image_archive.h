// Writes an image as one tar that every tool takes: an OCI image layout, which is what podman, skopeo and
// containerd read, with the `manifest.json` beside it that `docker load` wants. The same bytes for the same
// image and names.
#pragma once

#include <stop_token>
#include <string>

#include "rules/image/image_contents.h"

namespace trainmake {

// Names that docker would refuse stand in the index alone.
Result<void> write_image_archive(const ImageContents& contents, const ImageSource& source,
                                 const ByteSink& sink, const std::stop_token& stop);

bool is_docker_name(const std::string& name);

}  // namespace trainmake
