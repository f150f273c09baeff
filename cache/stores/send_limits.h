// How much may be asked of a store at once, as TRAINSPACE.lua says. Pure.
#pragma once

#include <cstdint>

#include "engine/base/error.h"
#include "engine/model/project.h"

namespace trainmake {

struct SendLimits {
  unsigned requests = 32;       // at once
  std::uint64_t bandwidth = 0;  // bytes a second that are sent; 0 is all that goes
};

// `requests` and `bandwidth` of a store, or of `limits` for all of them; `usual` holds for what is not said.
Result<SendLimits> read_send_limits(const Service& service, SendLimits usual);

}  // namespace trainmake
