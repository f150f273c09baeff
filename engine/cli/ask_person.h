// Asks the person at the terminal, on stderr, and reads the answer from standard input. What is typed for a
// secret is not shown.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace trainmake {

bool somebody_is_there();  // standard input is a terminal
// REQUIRES: somebody_is_there
Result<std::string> ask_person(std::string_view question);
Result<std::string> ask_for_secret(std::string_view question);
// All of standard input, less the line's end that `echo` adds.
Result<std::string> read_secret();

}  // namespace trainmake
