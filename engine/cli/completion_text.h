// The scripts that complete trainmake's commands, flags and labels in a shell, from the tables of commands,
// flags and topics. What cannot stand in a table is asked of `trainmake completion labels|platforms PREFIX`.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trainmake {

// "bash", "zsh" or "fish"; empty for any other.
std::optional<std::string> completion_text(std::string_view shell);

}  // namespace trainmake
