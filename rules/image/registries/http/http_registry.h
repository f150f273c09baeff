// Repositories of a registry that speaks the distribution spec. Thread rule: any thread.
#pragma once

#include <memory>

#include "engine/base/host.h"
#include "engine/model/event.h"
#include "rules/image/registries/http/remote.h"
#include "rules/image/registry.h"

namespace trainmake {

// Where a registry's host is reached: plain http on loopback, or where it is said to be insecure.
std::string url_of_registry(const std::string& host, bool insecure);

// At `url`, or where that is empty at url_of_registry.
std::unique_ptr<Registry> make_remote_registry(Host& host, const std::string& registry,
                                               const std::string& url, bool insecure, Tally& tally);

}  // namespace trainmake
