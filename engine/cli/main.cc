#include "engine/cli/commands.h"

int main(int count, char** arguments) {
  return trainmake::run_command_line({arguments + 1, arguments + count},
                                     trainmake::Environment::of_process());
}
