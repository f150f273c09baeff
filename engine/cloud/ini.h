// The files that AWS's tools keep settings in: sections of `name = value` lines. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace trainmake {

using IniSection = std::map<std::string, std::string>;
// By name; of two with one name the later settings count. Lines that are indented belong to a setting of
// several lines, and are left out, as is what is no line of these files.
std::map<std::string, IniSection> parse_ini(std::string_view text);

}  // namespace trainmake
