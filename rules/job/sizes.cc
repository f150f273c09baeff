#include "rules/job/sizes.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/base/text.h"

namespace trainmake {

Result<std::uint64_t> mebibytes_of(std::string_view name, const std::string& text) {
  const std::string_view whole = trim(text);
  const std::size_t digits = std::min(whole.find_first_not_of("0123456789."), whole.size());
  const std::optional<double> number = parse_number(whole.substr(0, digits));
  const std::string_view unit = trim(whole.substr(digits));
  constexpr std::string_view kUnits = "KMGT";
  const std::size_t power = unit.empty() ? 1 : kUnits.find(unit.front());
  const bool is_unit = unit.size() <= 1 || unit.substr(1) == "B" || unit.substr(1) == "iB";
  if (!number || power == kUnits.npos || !is_unit) {
    return fail(user_error(cat("`resources.", name, "` is ", quoted(text), ", which is no size"),
                           "Write it as \"64G\" or \"512M\""));
  }
  if (*number <= 0) {
    return fail(user_error(cat("`resources.", name, "` is ", quoted(text), ", and a job needs some"),
                           "Write it as \"64G\" or \"512M\", or leave it out"));
  }
  const double size = *number * std::pow(1024.0, static_cast<double>(power) - 1);
  return static_cast<std::uint64_t>(std::max(1.0, std::ceil(size)));
}

Result<std::uint64_t> mebibytes_said(const Table& resources, std::string_view name) {
  const Value* said = resources.find(name);
  return said == nullptr || said->string() == nullptr ? 0 : mebibytes_of(name, *said->string());
}

}  // namespace trainmake
