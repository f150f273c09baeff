// A bucket of UCloud's object store, UFile or US3, by its own protocol. Thread rule: any thread.
#pragma once

#include <memory>

#include "cache/stores/store.h"

namespace trainmake {

Result<std::unique_ptr<Store>> make_ufile_store(Host& host, const Workspace& workspace,
                                                const Service& service, Tally& tally);

}  // namespace trainmake
