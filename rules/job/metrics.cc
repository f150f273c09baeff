#include "rules/job/metrics.h"

#include <algorithm>
#include <cctype>
#include <limits>

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

// Where the number stands that a match is the beginning of, or all of: of `-1e-05`, a pattern of digits finds
// the 1 alone. As found, when that begins no number.
PatternMatcher::Span whole_number_at(std::string_view text, PatternMatcher::Span found) {
  if (found.begin == found.end) return found;
  const char first = text[found.begin];
  const std::size_t digits = found.begin + (is_sign(first) ? 1 : 0);
  const std::size_t end = end_of_number(text, digits);
  const bool ends_a_sentence = end + 1 == found.end && text[end] == '.';
  if (end == digits || (end < found.end && !ends_a_sentence)) return found;
  const bool is_negative = first == '-' || (digits > 0 && first != '+' && is_minus_of_one(text, digits - 1));
  return {digits - (is_negative ? 1 : 0), end};
}

// As programs print what is no number any more: nan, -inf, Infinity. All of them are kept as not a number.
bool is_beyond_numbers(std::string_view text) {
  if (!text.empty() && is_sign(text.front())) text.remove_prefix(1);
  std::string lower(text);
  for (char& byte : lower) byte = static_cast<char>(std::tolower(static_cast<unsigned char>(byte)));
  return lower == "nan" || lower == "inf" || lower == "infinity";
}

}  // namespace

Metrics Metrics::of(const Value* declared) {
  Metrics metrics;
  if (declared == nullptr) return metrics;
  for (const auto& [name, value] : declared->table()->fields) {
    auto pattern = LuaPattern::parse(*value.string());
    CHECK(pattern);
    metrics.metrics_.push_back({name, *std::move(pattern)});
  }
  return metrics;
}

Metrics Metrics::of(const std::map<std::string, std::string>& patterns) {
  Metrics metrics;
  for (const auto& [name, text] : patterns) {
    if (auto pattern = LuaPattern::parse(text)) metrics.metrics_.push_back({name, *std::move(pattern)});
  }
  return metrics;
}

std::vector<Error> Metrics::wrong(const Value& declared) {
  std::vector<Error> errors;
  for (const auto& [name, value] : declared.table()->fields) {
    auto pattern = LuaPattern::parse(*value.string());
    if (pattern) continue;
    Error error = std::move(pattern).error();
    error.message = cat("Metric ", quoted(name), ": ", error.message);
    errors.push_back(std::move(error).at({"", value.line}));
  }
  return errors;
}

// The last match counts; one within a number that was just taken whole is none.
Metrics::Reading Metrics::read(const LuaPattern& pattern, std::string_view text) {
  Reading reading;
  std::uint64_t steps = LuaPattern::kSteps;
  for (std::size_t from = 0;;) {
    const LuaPattern::Found found = pattern.match(text, from, steps);
    reading.gave_up = found.gave_up;
    if (!found.text) return reading;
    const auto whole = found.at ? std::optional(whole_number_at(text, *found.at)) : std::nullopt;
    const std::string_view number =
        whole ? text.substr(whole->begin, whole->end - whole->begin) : *found.text;
    if (const auto value = parse_number(number)) reading.value = *value;
    if (is_beyond_numbers(number)) reading.value = std::numeric_limits<double>::quiet_NaN();
    from = std::max({found.end, whole ? whole->end : 0, from + 1});
  }
}

std::vector<std::string> Metrics::silent() const {
  std::vector<std::string> names;
  for (const Metric& metric : metrics_) {
    if (!values_.contains(metric.name)) names.push_back(metric.name);
  }
  return names;
}

std::string Metrics::line(std::string_view text) {
  std::string told;
  text = text.substr(0, kLongestLine);
  for (Metric& metric : metrics_) {
    if (metric.given_up == kMostGivenUp) continue;
    const Reading reading = read(metric.pattern, text);
    if (reading.gave_up && ++metric.given_up == 1) {
      told += cat(told.empty() ? "" : "; ", "Metric ", quoted(metric.name), ": pattern ",
                  quoted(metric.pattern.text()),
                  " takes too long for a line of the log, which is passed over, and after ", kMostGivenUp,
                  " of them all are");
    } else if (reading.value) {
      values_[metric.name] = *reading.value;
    }
  }
  return told;
}

}  // namespace trainmake
