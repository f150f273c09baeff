#include "engine/cli/commands.h"
#include "engine/cli/interrupt.h"

int main(int count, char** arguments) {
  trainmake::end_on_interrupt();
  return trainmake::run_command_line({arguments + 1, arguments + count},
                                     trainmake::Environment::of_process());
}
