// Whether data that a job read where it lies is still what the job was given. Compares by stat and, where
// that says nothing, by content. Knows no platform.
#pragma once

#include <string>
#include <vector>

#include "cache/file_digests.h"
#include "engine/model/project.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// Paths, from their project's folder, of files that are not what the listings say; sorted within each tree.
Result<std::vector<std::string>> changed_in_place(Host& host, const Workspace& workspace,
                                                  FileDigests& digests, const std::vector<GivenTree>& trees);

}  // namespace trainmake
