// Addresses of this machine that nobody else is reached by. Each node of several that are played on it has
// one of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace trainmake {

// 127.0.0.1 of the first, 127.0.0.2 of the second.
std::string loopback_host(std::int64_t node);
// A port that is free at each of `hosts`, all of them different. Somebody may take one before it is used.
Result<std::vector<int>> free_ports(const std::vector<std::string>& hosts);

}  // namespace trainmake
