// A bucket of a service that speaks S3. Thread rule: any thread.
#pragma once

#include <memory>

#include "cache/stores/store.h"

namespace trainmake {

Result<std::unique_ptr<Store>> make_s3_store(Host& host, const Workspace& workspace, const Service& service,
                                             Tally& tally);

}  // namespace trainmake
