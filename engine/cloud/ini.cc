#include "engine/cloud/ini.h"

#include "engine/base/text.h"

namespace trainmake {

std::map<std::string, IniSection> parse_ini(std::string_view text) {
  std::map<std::string, IniSection> sections;
  IniSection* section = nullptr;
  for (const std::string& whole : split(text, '\n')) {
    if (whole.starts_with(' ') || whole.starts_with('\t')) continue;
    const std::string_view line = trim(whole);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      const std::size_t end = line.find(']');
      section = end == line.npos ? nullptr : &sections[std::string(trim(line.substr(1, end - 1)))];
      continue;
    }
    const std::size_t equals = line.find('=');
    if (section == nullptr || equals == line.npos) continue;
    std::string_view value = trim(line.substr(equals + 1));
    for (const std::string_view comment : {" #", " ;"}) value = trim(value.substr(0, value.find(comment)));
    (*section)[std::string(trim(line.substr(0, equals)))] = value;
  }
  return sections;
}

}  // namespace trainmake
