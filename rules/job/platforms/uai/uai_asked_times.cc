#include "rules/job/platforms/uai/uai_asked_times.h"

#include <algorithm>

#include "engine/base/process_table.h"
#include "engine/base/text.h"
#include "rules/job/note_files.h"

namespace trainmake {
namespace {

// A call is answered within a minute, or given up by the service: what is not on the list by then never was.
constexpr std::int64_t kLate_ns = 70'000'000'000;

}  // namespace

Result<void> UaiAskedTimes::begin(const UaiRun& run) {
  const std::string ticks = cat(boot_of(host_.files), "\n", host_.clock.steady_ns(), "\n");
  TRY(write_file(host_.files, run.asked_clock(), ticks, {.durable = true}));
  return write_file(host_.files, run.asked(), cat(host_.clock.now_ns(), "\n"), {.durable = true});
}

Result<std::int64_t> UaiAskedTimes::left_ns(const UaiRun& run) {
  const std::int64_t now = host_.clock.steady_ns();
  TRY_ASSIGN(const std::string ticks, text_at(host_.files, run.asked_clock()));
  const std::size_t line = std::min(ticks.find('\n'), ticks.size());
  const auto asked = whole_number<std::int64_t>(trim(std::string_view(ticks).substr(line)));
  std::int64_t since = 0;
  if (asked && *asked <= now && is_this_boot(host_.files, ticks.substr(0, line))) {
    since = *asked;
  } else {
    const std::lock_guard lock(mutex_);
    since = first_ns_.try_emplace(run.top, now).first->second;
  }
  return std::max<std::int64_t>(0, since + kLate_ns - now);
}

Result<bool> UaiAskedTimes::is_over(const UaiRun& run) {
  TRY_ASSIGN(const std::int64_t left, left_ns(run));
  return left == 0;
}

}  // namespace trainmake
