// Repositories of a registry that speaks the distribution spec. Thread rule: any thread.
#pragma once

#include <memory>

#include "engine/base/host.h"
#include "engine/model/event.h"
#include "rules/image/registry.h"

namespace trainmake {

std::unique_ptr<Registry> make_remote_registry(Host& host, const RemotePlace& place, Tally& tally,
                                               const WaitNotice& waits = nullptr);

}  // namespace trainmake
