// What `{words}` in the texts of a contract stand for. Pure. Knows no contract.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trainmake {

// What each placeholder is in one job; `channels` and `parameters` are what a text that names one is
// repeated for.
struct Filling {
  std::map<std::string, std::string, std::less<>> words;
  std::vector<std::string> channels;
  std::vector<std::pair<std::string, std::string>> parameters;  // with their text
};

// All that may stand in braces.
const std::vector<std::string>& placeholder_names();
// Those in `text`; a brace that begins none is itself.
std::vector<std::string> placeholders_in(std::string_view text);
// Whether its name or text is made once for each channel or parameter: `{channel}`, `{PARAM}`.
enum class Repeats { kNo, kChannels, kParameters };
Repeats repeats(std::string_view name, std::string_view text);

// Names and texts, filled in, in the order given.
std::vector<std::pair<std::string, std::string>> filled(
    const std::vector<std::pair<std::string, std::string>>& texts, const Filling& filling);

}  // namespace trainmake
