#include "rules/job/metrics.h"

#include "engine/base/text.h"

namespace trainmake {
namespace {

// A pattern may take time that grows fast with the line's length, and no metric stands at the end of such a
// line.
constexpr std::size_t kLongestLine = 8U << 10U;
// A log may have millions of lines that are all too long for a pattern.
constexpr int kMostGivenUp = 100;

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
    metrics.metrics_.push_back({name, std::move(*pattern)});
  }
  return metrics;
}

std::string Metrics::line(std::string_view text) {
  std::string told;
  text = text.substr(0, kLongestLine);
  for (Metric& metric : metrics_) {
    if (metric.given_up == kMostGivenUp) continue;
    const LuaPattern::Found found = metric.pattern.match(text);
    if (found.gave_up && ++metric.given_up == 1) {
      told += cat(told.empty() ? "" : "; ", "Metric ", quoted(metric.name), ": pattern ",
                  quoted(metric.pattern.text()),
                  " takes too long for a line of the log, which is passed over, and after ", kMostGivenUp,
                  " of them all are");
    }
    const auto number = found.text ? parse_number(*found.text) : std::nullopt;
    if (number) values_[metric.name] = *number;
  }
  return told;
}

}  // namespace trainmake
