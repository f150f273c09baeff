// Which runs are asked for, and in what order: `--status`, `--since`, `--where`, `--sort`. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/cli/flags.h"
#include "engine/model/record.h"

namespace trainmake {

enum class Comparator : std::uint8_t { kLess, kAtMost, kMore, kAtLeast, kEqual, kOther, kHolds };

// `lr>0.1`: of a metric or a parameter; else of `tags`, `notes`, `memo` or `contract`. One that a run has not
// meets no condition.
struct RunCondition {
  std::string name;  // `params.x` and `metrics.x` are these alone
  Comparator comparator = Comparator::kEqual;
  std::string value;
};

struct RunFilter {
  std::optional<RunStatus> status;
  std::string platform;       // "": any
  std::int64_t since_ns = 0;  // created then or later
  std::vector<RunCondition> conditions;
  std::string sort;  // a metric or parameter, the least first; "": the newest first
  bool greatest_first = false;
};

Result<RunFilter> run_filter_of(const CommandLine& line, std::int64_t now_ns);
Result<std::vector<RunCondition>> parse_conditions(std::string_view text);  // joined by commas
// `2h`, `3d`: so long before `now_ns`; `2026-01-31`, `2026-01-31 12:30`: then, in UTC.
std::optional<std::int64_t> parse_since(std::string_view text, std::int64_t now_ns);

bool fits(const RunFilter& filter, const Run& run);
// What none of the runs has cannot sort them.
Result<void> check_sort(const RunFilter& filter, const std::vector<Run>& runs);
void sort_runs(const RunFilter& filter, std::vector<Run>& runs);  // those without a number last

}  // namespace trainmake
