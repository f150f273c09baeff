// What orders have in common, which one trainmake leaves for another to carry out: a command with all that it
// is started with. Not JSON: paths and arguments may hold any bytes. Pure.
#pragma once

#include "engine/base/codec.h"
#include "rules/job/contract.h"

namespace trainmake {

void encode(const RenderedJob& job, Encoder& encoder);
RenderedJob decode_job(Decoder& decoder);

}  // namespace trainmake
