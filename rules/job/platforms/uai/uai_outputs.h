// What a job left in its folder of a store, brought to this machine; and what it goes on from, put there
// before it starts. Knows nothing of the service.
#pragma once

#include <stop_token>
#include <string>

#include "cache/blobs.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"
#include "rules/job/job_spec.h"
#include "rules/job/platforms/uai/uai_run.h"

namespace trainmake {

// Everything below `prefix` of the store, as files in the run's output folder, which is there when it is
// whole. Checkpoints stay where they are, unless one of the declared outputs is among them.
Result<void> bring_outputs(Host& host, Store& store, const std::string& prefix, const UaiRun& run);
// Its checkpoints alone, as they are by now.
Result<void> bring_checkpoint(Host& host, Store& store, const std::string& prefix, const UaiRun& run);
// Below `prefix`, where the job finds it as its own.
Result<void> put_checkpoint(Store& store, const std::string& prefix, const Checkpoint& checkpoint,
                            const Blobs& blobs, const std::stop_token& stop);

}  // namespace trainmake
