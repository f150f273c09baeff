#include <malloc.h>
#include <unistd.h>

#include <new>
#include <string_view>

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

// Whatever was done is kept as after a kill.
void end_without_memory() {
  constexpr std::string_view kSaid =
      "error: Not enough memory\n"
      "  hint: Raise its limit (`ulimit -v`, the container's), and run it again: what was done is kept\n";
  static_cast<void>(::write(STDERR_FILENO, kSaid.data(), kSaid.size()));
  ::_exit(1);
}

}  // namespace

int main(int count, char** arguments) {
  keep_memory_small();
  std::set_new_handler(end_without_memory);
  trainmake::end_on_interrupt();
  return trainmake::run_command_line({arguments + 1, arguments + count},
                                     trainmake::Environment::of_process());
}
