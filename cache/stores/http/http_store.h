// A folder of a web server that takes PUT and DELETE: nginx with its dav module, or whoever speaks WebDAV.
// Thread rule: any thread.
#pragma once

#include <memory>

#include "cache/stores/store.h"

namespace trainmake {

Result<std::unique_ptr<Store>> make_http_store(Host& host, const Workspace& workspace, const Service& service,
                                               Tally& tally);

}  // namespace trainmake
