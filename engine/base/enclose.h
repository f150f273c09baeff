// How child.cc makes an Enclosure. Not for others.
#pragma once

#include "engine/base/enclosure.h"
#include "engine/base/error.h"

namespace trainmake {

// As fork, with the namespaces; the child waits in `wait_to_be_mapped`. Allocates nothing.
int fork_enclosed(const Enclosure& enclosure);
// By the parent: who is root in there.
Result<void> map_user(int pid, int go);
// By the child. False when the parent is gone.
bool wait_to_be_mapped(int go);
// By the child, which may not allocate. nullptr, or what failed, with errno.
const char* enclose(const Enclosure& enclosure);
// By the child, when all other descriptors are to be closed.
bool hand_over(const Enclosure& enclosure);

}  // namespace trainmake
