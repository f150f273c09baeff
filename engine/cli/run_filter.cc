#include "engine/cli/run_filter.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/model/schema.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kSecond = 1'000'000'000;
// Those of two characters first, for the others begin them.
constexpr std::pair<std::string_view, Comparator> kComparators[] = {
    {"<=", Comparator::kAtMost}, {">=", Comparator::kAtLeast}, {"!=", Comparator::kOther},
    {"==", Comparator::kEqual},  {"<", Comparator::kLess},     {">", Comparator::kMore},
    {"=", Comparator::kEqual},   {"~", Comparator::kHolds}};

Result<RunStatus> status_of(const std::string& word) {
  if (const std::optional<RunStatus> status = parse_status(word)) return *status;
  std::vector<std::string> names;
  for (const RunStatus status :
       {RunStatus::kQueued, RunStatus::kRunning, RunStatus::kSucceeded, RunStatus::kFailed,
        RunStatus::kCancelled, RunStatus::kLost, RunStatus::kUnknown})
    names.emplace_back(name_of(status));
  const std::string meant = did_you_mean(word, names);
  return fail(user_error(cat("There is no status ", quoted(word)),
                         meant.empty() ? cat("There are ", join(names, ", ")) : meant));
}

// As a person writes it: a number, a word, true or false. Empty when the run has no such thing.
std::optional<std::string> value_in(const Run& run, std::string_view name) {
  constexpr std::string_view kMetrics = "metrics.", kParams = "params.";
  if (!name.starts_with(kParams)) {
    const auto metric =
        run.metrics.find(std::string(name.substr(name.starts_with(kMetrics) ? kMetrics.size() : 0)));
    if (metric != run.metrics.end()) return number_text(metric->second);
    if (name.starts_with(kMetrics)) return std::nullopt;
  } else {
    name.remove_prefix(kParams.size());
  }
  const Json params = parse_json<Json>(run.params_json);
  if (!params.is_object() || !params.contains(name)) return std::nullopt;
  const Json& value = params[std::string(name)];
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool holds(Comparator comparator, double a, double b) {
  switch (comparator) {
    case Comparator::kLess:
      return a < b;
    case Comparator::kAtMost:
      return a <= b;
    case Comparator::kMore:
      return a > b;
    case Comparator::kAtLeast:
      return a >= b;
    case Comparator::kEqual:
      return a == b;
    case Comparator::kOther:
      return a != b;
    case Comparator::kHolds:
      break;
  }
  return false;
}

// What was said of it for people; nothing where the name is of no such thing, or nothing was said.
std::vector<std::string> remarks_in(const Run& run, std::string_view name) {
  const Remarks remarks = remarks_of(run);
  if (name == "tags") return remarks.tags;
  const std::string text = name == "notes"      ? remarks.notes
                           : name == "memo"     ? remarks.memo
                           : name == "contract" ? contract_given_to(run)
                                                : std::string();
  return text.empty() ? std::vector<std::string>() : std::vector<std::string>{text};
}

// Of several words one is enough, and none of them may be what is ruled out.
bool meets_as_words(const RunCondition& condition, const std::vector<std::string>& words) {
  const bool is_any = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return condition.comparator == Comparator::kHolds ? word.find(condition.value) != word.npos
                                                      : word == condition.value;
  });
  if (condition.comparator == Comparator::kOther) return !is_any;
  return is_any && (condition.comparator == Comparator::kEqual || condition.comparator == Comparator::kHolds);
}

bool meets(const RunCondition& condition, const Run& run) {
  const std::optional<std::string> value = value_in(run, condition.name);
  if (!value) {
    const std::vector<std::string> words = remarks_in(run, condition.name);
    const bool may_be_none = condition.name == "tags";
    return (may_be_none || !words.empty()) && meets_as_words(condition, words);
  }
  if (condition.comparator == Comparator::kHolds) return meets_as_words(condition, {*value});
  const std::optional<double> number = parse_number(*value), wanted = parse_number(condition.value);
  if (number && wanted) return holds(condition.comparator, *number, *wanted);
  if (condition.comparator == Comparator::kOther) return *value != condition.value;
  return condition.comparator == Comparator::kEqual && *value == condition.value;
}

Result<RunCondition> parse_condition(std::string_view text) {
  for (std::size_t at = text.find_first_of("<>=!~"); at != text.npos && at > 0;) {
    for (const auto& [sign, comparator] : kComparators) {
      if (!text.substr(at).starts_with(sign)) continue;
      RunCondition condition{std::string(trim(text.substr(0, at))), comparator,
                             std::string(trim(text.substr(at + sign.size())))};
      const bool compares = comparator != Comparator::kEqual && comparator != Comparator::kOther &&
                            comparator != Comparator::kHolds;
      if (condition.name.empty() || condition.value.empty()) break;
      if (!compares || parse_number(condition.value)) return condition;
      return fail(user_error(cat(quoted(condition.value), " in ", quoted(text), " is no number"),
                             "Words are compared with `=`, `!=` and `~` alone"));
    }
    break;
  }
  return fail(
      user_error(cat(quoted(text), " is no condition"),
                 "Write it as `--where \"lr>0.1, loss<=0.5, solver=adam\"`: <, <=, >, >=, =, != or ~"));
}

}  // namespace

Result<std::vector<RunCondition>> parse_conditions(std::string_view text) {
  std::vector<std::string> parts = split(text, ',');
  if (parts.empty()) parts.emplace_back();
  std::vector<RunCondition> conditions;
  for (const std::string& part : parts) {
    TRY_ASSIGN(RunCondition condition, parse_condition(trim(part)));
    conditions.push_back(std::move(condition));
  }
  return conditions;
}

std::optional<std::int64_t> parse_since(std::string_view text, std::int64_t now_ns) {
  Value duration;
  duration.data = std::string(text);
  if (const auto seconds = seconds_of(duration)) return now_ns - *seconds * kSecond;
  std::array<int, 5> parts{0, 0, 0, 0, 0};  // year, month, day, hour, minute
  constexpr std::string_view kShape = "0000-00-00 00:00";
  if (text.size() != 10 && text.size() != kShape.size()) return std::nullopt;
  std::size_t part = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    const bool is_between = kShape[i] != '0';
    if (is_between != !is_digit) return std::nullopt;
    if (is_between && text[i] != kShape[i] && !(kShape[i] == ' ' && text[i] == 'T')) return std::nullopt;
    if (is_between) ++part;
    if (is_digit) parts[part] = parts[part] * 10 + (text[i] - '0');
  }
  const std::chrono::year_month_day day{std::chrono::year(parts[0]),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2]))};
  // What nanoseconds since 1970 can tell.
  if (!day.ok() || parts[0] < 1970 || parts[0] > 2261 || parts[3] > 23 || parts[4] > 59) return std::nullopt;
  const auto moment =
      std::chrono::sys_days(day) + std::chrono::hours(parts[3]) + std::chrono::minutes(parts[4]);
  return std::chrono::nanoseconds(moment.time_since_epoch()).count();
}

Result<RunFilter> run_filter_of(const CommandLine& line, std::int64_t now_ns) {
  RunFilter filter;
  filter.platform = line.value("--platform").value_or("");
  if (const auto status = line.value("--status")) {
    TRY_ASSIGN(filter.status, status_of(*status));
  }
  if (const auto since = line.value("--since")) {
    const auto ns = parse_since(*since, now_ns);
    if (!ns)
      return fail(user_error(cat("Flag `--since` takes a time, got ", quoted(*since)),
                             "As `2h`, `3d`, `2026-01-31` or `\"2026-01-31 12:30\"` (UTC)"));
    filter.since_ns = *ns;
  }
  if (const auto where = line.value("--where")) {
    TRY_ASSIGN(filter.conditions, parse_conditions(*where));
  }
  filter.sort = line.value("--sort").value_or("");
  filter.greatest_first = filter.sort.starts_with('-');
  if (filter.greatest_first) filter.sort.erase(0, 1);
  return filter;
}

bool fits(const RunFilter& filter, const Run& run) {
  return (!filter.status || run.status == *filter.status) &&
         (filter.platform.empty() || run.platform == filter.platform) && run.created_ns >= filter.since_ns &&
         std::all_of(filter.conditions.begin(), filter.conditions.end(),
                     [&](const RunCondition& condition) { return meets(condition, run); });
}

Result<void> check_sort(const RunFilter& filter, const std::vector<Run>& runs) {
  const bool is_known =
      filter.sort.empty() || runs.empty() ||
      std::any_of(runs.begin(), runs.end(), [&](const Run& run) { return value_in(run, filter.sort); });
  if (is_known) return {};
  std::set<std::string> names;
  for (const Run& run : runs) {
    for (const auto& [name, value] : run.metrics) names.insert(name);
  }
  const std::vector<std::string> all(names.begin(), names.end());
  const std::string meant = did_you_mean(filter.sort, all);
  return fail(user_error(cat("No run has a metric or parameter ", quoted(filter.sort), " to be sorted by"),
                         !meant.empty() ? meant
                         : all.empty()  ? std::string("`trainmake show RUN` says what a run has")
                                        : cat("There are the metrics ", join(all, ", "))));
}

void sort_runs(const RunFilter& filter, std::vector<Run>& runs) {
  if (filter.sort.empty()) return;
  std::vector<std::pair<std::optional<double>, std::size_t>> order;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::optional<std::string> value = value_in(runs[i], filter.sort);
    const std::optional<double> number = value ? parse_number(*value) : std::nullopt;
    order.emplace_back(number && std::isfinite(*number) ? number : std::nullopt, i);
  }
  std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    if (!a.first || !b.first) return a.first.has_value() && !b.first.has_value();
    return filter.greatest_first ? *a.first > *b.first : *a.first < *b.first;
  });
  std::vector<Run> sorted;
  for (const auto& [number, at] : order) sorted.push_back(std::move(runs[at]));
  runs = std::move(sorted);
}

}  // namespace trainmake
