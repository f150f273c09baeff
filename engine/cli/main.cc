#include <malloc.h>

#include "engine/cli/commands.h"
#include "engine/cli/interrupt.h"

namespace {

// Dozens of threads wait for answers, and none of them needs a heap of its own; what was large goes back to
// the machine at once.
void keep_memory_small() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
}

}  // namespace

int main(int count, char** arguments) {
  keep_memory_small();
  trainmake::end_on_interrupt();
  return trainmake::run_command_line({arguments + 1, arguments + count},
                                     trainmake::Environment::of_process());
}
