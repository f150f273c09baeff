#include "rules/job/metrics.h"

#include "engine/base/text.h"

namespace trainmake {
namespace {

// A pattern may take time that grows fast with the line's length, and no metric stands at the end of such a
// line.
constexpr std::size_t kLongestLine = 8U << 10U;

}  // namespace

Result<Metrics> Metrics::of(const Value* declared) {
  Metrics metrics;
  const Table* table = declared != nullptr ? declared->table() : nullptr;
  if (table == nullptr) return metrics;
  for (const auto& [name, value] : table->fields) {
    auto pattern = LuaPattern::parse(*value.string());
    if (!pattern) {
      Error error = std::move(pattern).error();
      error.message = cat("Metric ", quoted(name), ": ", error.message);
      error.where.line = value.line;
      return fail(std::move(error));
    }
    metrics.patterns_.emplace_back(name, std::move(*pattern));
  }
  return metrics;
}

void Metrics::line(std::string_view text) {
  text = text.substr(0, kLongestLine);
  for (const auto& [name, pattern] : patterns_) {
    const auto found = pattern.match(text);
    const auto number = found ? parse_number(*found) : std::nullopt;
    if (number) values_[name] = *number;
  }
}

}  // namespace trainmake
