#include "rules/job/metrics.h"

#include <cctype>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// A pattern may take time that grows fast with the line's length, and no metric stands at the end of such a
// line.
constexpr std::size_t kLongestLine = 8U << 10U;
// A log may have millions of lines that are all too long for a pattern.
constexpr int kMostGivenUp = 100;

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
bool is_sign(char byte) { return byte == '-' || byte == '+'; }
bool is_of_a_word(char byte) { return std::isalnum(static_cast<unsigned char>(byte)) != 0 || byte == '_'; }

std::size_t after_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// Where the number ends that begins at `at`, after its sign; `at` when none does, or when it is part of
// something like 1.2.3.
std::size_t end_of_number(std::string_view text, std::size_t at) {
  const std::size_t whole = after_digits(text, at);
  std::size_t end = whole;
  std::size_t digits = whole - at;
  if (end < text.size() && text[end] == '.') {
    end = after_digits(text, whole + 1);
    digits += end - whole - 1;
  }
  if (digits == 0) return at;
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    const std::size_t power = end + 1 + (end + 1 < text.size() && is_sign(text[end + 1]) ? 1 : 0);
    if (const std::size_t last = after_digits(text, power); last > power) end = last;
  }
  return end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1]) ? at : end;
}

// Of a minus at `at`: the sign of what follows, and no hyphen or a minus between two things.
bool is_minus_of_one(std::string_view text, std::size_t at) {
  if (text[at] != '-' || at == 0) return text[at] == '-';
  const char before = text[at - 1];
  return !is_of_a_word(before) && before != '.' && before != ')';
}

// What a pattern found, and what it left of the number that this is the beginning of: of `-1e-05`, a pattern
// of digits finds the 1 alone.
std::string_view whole_number_at(std::string_view text, PatternMatcher::Span found) {
  const std::string_view as_found = text.substr(found.begin, found.end - found.begin);
  if (as_found.empty()) return as_found;
  const char first = as_found.front();
  const std::size_t digits = found.begin + (is_sign(first) ? 1 : 0);
  const std::size_t end = end_of_number(text, digits);
  if (end == digits || end < found.end) return as_found;
  const bool is_negative = first == '-' || (digits > 0 && first != '+' && is_minus_of_one(text, digits - 1));
  const std::size_t begin = digits - (is_negative ? 1 : 0);
  return text.substr(begin, end - begin);
}

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
    if (!found.text) continue;
    const auto number = parse_number(found.at ? whole_number_at(text, *found.at) : *found.text);
    if (number) values_[metric.name] = *number;
  }
  return told;
}

}  // namespace trainmake
