// A store that is a folder: `dir:relative/or/absolute/path`. Objects are files; they appear whole or not at
// all. Makes no http requests, so it counts none.
#pragma once

#include "cache/stores/store.h"

namespace trainmake {

Result<std::unique_ptr<Store>> make_dir_store(Host& host, const Workspace& workspace, const Service& service,
                                              Tally& tally);

}  // namespace trainmake
