// Process 1 of a child's namespaces, where the child's program starts something and leaves it to that. How
// child.cc makes an Enclosure's `detached`; not for others. After fork: allocates nothing.
#pragma once

namespace trainmake {

struct FirstProcess {
  const char* pid_file;  // where the program says what it started
  char* const* tidy_up;  // a command, when all has ended; nullptr is none
  char* const* environment;
};

// Returns in a new process, which is to become the program; false when there can be none. This process stays:
// when what the program started has ended it ends the rest, SIGTERM first and SIGKILL three seconds later,
// and leaves with the exit code of the first, 128 and its number for a signal.
bool stay_as_first(const FirstProcess& first);

}  // namespace trainmake
