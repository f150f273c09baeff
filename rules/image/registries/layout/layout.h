// An OCI image layout in a folder: `oci-layout`, `index.json`, `blobs/sha256/…`. What podman, skopeo and
// umoci read as `oci:`.
#pragma once

#include <memory>
#include <string>

#include "engine/base/file_system.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "rules/image/registry.h"

namespace trainmake {

// The one in the workspace's cache folder.
std::unique_ptr<Registry> make_layout(Host& host, const Workspace& workspace);
// One in any other folder, which need not be there.
std::unique_ptr<Registry> make_layout_at(Host& host, const std::string& folder);
// Adds the names of the layout at `from` that the one at `to` does not have. REQUIRES: its blobs are there.
Result<void> add_names(Host& host, const std::string& from, const std::string& to);

}  // namespace trainmake
