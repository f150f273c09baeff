#include "engine/base/byte_count.h"

#include <algorithm>
#include <limits>

#include "engine/base/text.h"

namespace trainmake {

std::optional<std::uint64_t> parse_byte_count(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = whole_number<std::uint64_t>(text.substr(0, digits));
  const std::string_view unit = trim(text.substr(digits));
  if (!number || *number == 0) return std::nullopt;
  if (unit.empty() || unit == "B") return *number;
  constexpr std::string_view kPrefixes = "KMGT";
  std::size_t power = kPrefixes.find(unit.front()) + 1;
  const bool decimal = unit.substr(1) == "B", binary = unit.substr(1) == "iB";
  if (power == 0 || (!decimal && !binary)) return std::nullopt;
  const std::uint64_t step = decimal ? 1000 : 1024;
  std::uint64_t bytes = *number;
  for (; power > 0; --power) {
    if (bytes > std::numeric_limits<std::uint64_t>::max() / step) return std::nullopt;
    bytes *= step;
  }
  return bytes;
}

}  // namespace trainmake
