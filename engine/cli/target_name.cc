#include "engine/cli/target_name.h"

#include <algorithm>

namespace trainmake {
namespace {

constexpr std::size_t kLongest = 100;

}  // namespace

std::string target_name(std::string_view name) {
  std::string fitting;
  for (const char c : name) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool fits = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (fits)
      fitting += lower;
    else if (!fitting.empty() && fitting.back() != '-')
      fitting += lower == '_' ? '_' : '-';
  }
  fitting.resize(std::min(fitting.size(), kLongest));
  while (fitting.ends_with('-') || fitting.ends_with('_')) fitting.pop_back();
  return fitting.empty() ? "project" : fitting;
}

}  // namespace trainmake
