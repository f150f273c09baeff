#include "rules/job/metrics.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "engine/base/log_lines.h"
#include "engine/base/text.h"
#include "rules/job/left_files.h"
#include "rules/job/metric_rows.h"

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

std::string text_in(const Table& table, std::string_view name, const std::string& otherwise) {
  const Value* value = table.find(name);
  const std::string* text = value != nullptr ? value->string() : nullptr;
  return text != nullptr ? *text : otherwise;
}

std::optional<Error> wrong_pattern(const std::string& text) {
  auto pattern = LuaPattern::parse(text);
  return pattern ? std::optional<Error>() : std::move(pattern).error();
}

std::optional<Error> wrong_file(const Table& said) {
  const std::vector<std::string> known = {"file", "field", "step"};
  for (const auto& [name, value] : said.fields) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return user_error(cat("there is no ", quoted(name), " in it, but `file`, `field` and `step`"),
                        did_you_mean(name, known));
    }
    if (value.string() == nullptr || value.string()->empty())
      return user_error(cat(quoted(name), " is a string"));
  }
  const std::string file = text_in(said, "file", "");
  const std::optional<std::string> clean = path_clean(file);
  if (said.items.empty() && clean && !clean->empty() && clean->front() != '/') return std::nullopt;
  return user_error(
      file.empty() ? "it names no `file`" : cat(quoted(file), " is no path in the output folder"),
      "Write it as `{ file = \"metrics.jsonl\", field = \"loss\" }`");
}

}  // namespace

MetricSources metric_sources(const Value* declared) {
  MetricSources sources;
  if (declared == nullptr) return sources;
  for (const auto& [name, value] : declared->table()->fields) {
    MetricSource& source = sources[name];
    if (const std::string* pattern = value.string()) {
      source.pattern = *pattern;
      continue;
    }
    const Table& said = *value.table();
    source.file = path_clean(text_in(said, "file", "")).value_or("");
    source.field = text_in(said, "field", name);
    source.step = text_in(said, "step", "step");
  }
  return sources;
}

Metrics Metrics::of(const MetricSources& sources) {
  Metrics metrics;
  for (const auto& [name, source] : sources) {
    if (!source.file.empty()) {
      metrics.files_[source.file].emplace(name, source);
    } else if (auto pattern = LuaPattern::parse(source.pattern)) {
      metrics.metrics_.push_back({name, *std::move(pattern)});
    }
  }
  return metrics;
}

std::vector<Error> Metrics::wrong(const Value& declared) {
  std::vector<Error> errors;
  const auto add = [&](const std::string& name, Error error, int line) {
    error.message = cat("Metric ", quoted(name), ": ", error.message);
    errors.push_back(std::move(error).at({"", line}));
  };
  if (!declared.table()->items.empty())
    errors.push_back(user_error("A metric needs a name", "Write it as `loss = \"loss=([%d.]+)\"`")
                         .at({"", declared.table()->items.front().line}));
  for (const auto& [name, value] : declared.table()->fields) {
    std::optional<Error> error = user_error("it is neither a Lua pattern nor `{ file = \"metrics.jsonl\" }`");
    if (const std::string* pattern = value.string()) error = wrong_pattern(*pattern);
    if (const Table* said = value.table()) error = wrong_file(*said);
    if (error) add(name, *std::move(error), value.line);
  }
  return errors;
}

void Metrics::tell(const std::string& name, double value, std::optional<double> step) {
  Told& told = told_[name];
  told.last = value;
  told.curve.add({step.value_or(static_cast<double>(told.curve.seen() + 1)), value});
}

std::map<std::string, double> Metrics::values() const {
  std::map<std::string, double> values;
  for (const auto& [name, told] : told_) values[name] = told.last;
  return values;
}

Curves Metrics::curves() const {
  Curves curves;
  for (const auto& [name, told] : told_) curves[name] = told.curve.points();
  return curves;
}

std::vector<std::string> Metrics::files() const {
  std::vector<std::string> paths;
  for (const auto& [file, sources] : files_) paths.push_back(file);
  return paths;
}

void Metrics::read_files(const LeftFiles& left) {
  for (const auto& [file, sources] : files_) read_file(left, file);
}

// What cannot be read tells no number, as what was not written does.
void Metrics::read_file(const LeftFiles& left, const std::string& file) {
  const auto found = left.find(file);
  if (!found || !found->stat.is(FileKind::kFile)) return;
  MetricRows rows(file);
  const LogLines::Sink take = [&](std::string_view line) {
    const MetricRows::Row row = rows.row(line);
    for (const auto& [name, source] : files_.at(file)) {
      const auto number = row.find(source.field);
      if (number == row.end()) continue;
      const auto step = row.find(source.step);
      tell(name, number->second, step != row.end() ? std::optional(step->second) : std::nullopt);
    }
  };
  LogLines lines;
  (void)read_pieces(left.files(), found->at, {}, [&](std::string_view bytes) {
    lines.add(bytes, take);
    return Result<void>();
  });
  lines.finish(take);
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
  std::vector<std::string> silent;
  for (const Metric& metric : metrics_) {
    if (!told_.contains(metric.name))
      silent.push_back(cat(quoted(metric.name), " found no number in the log"));
  }
  for (const auto& [file, sources] : files_) {
    for (const auto& [name, source] : sources) {
      if (told_.contains(name)) continue;
      silent.push_back(
          cat(quoted(name), " found no number as ", quoted(source.field), " in output file ", quoted(file)));
    }
  }
  return silent;
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
      tell(metric.name, *reading.value);
    }
  }
  return told;
}

}  // namespace trainmake
