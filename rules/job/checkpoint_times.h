// When the files of a checkpoint were written, kept beside the list of them: that list is what the checkpoint
// is known by, and the same content is the same checkpoint whenever it was written. A script may choose the
// newest file by its time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// In the order of the list. Returns the blob.
Result<std::string> keep_times(Blobs& blobs, const std::vector<std::int64_t>& mtimes_ns);
// To what was laid out in `folder`; nothing where the times are not known, as of a checkpoint that was kept
// without.
Result<void> give_times(Blobs& blobs, const Checkpoint& checkpoint, const std::string& folder);

}  // namespace trainmake
