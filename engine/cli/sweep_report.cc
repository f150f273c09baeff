#include "engine/cli/sweep_report.h"

#include <utility>

#include "engine/base/text.h"
#include "rules/job/attempt.h"

namespace trainmake {

void SweepReport::event(const Event& event) {
  if (const auto* started = std::get_if<StepStarted>(&event)) started_.insert(started->label);
  if (const auto* problem = std::get_if<Problem>(&event)) {
    const auto end = end_told_by(problem->error, problem->label.shortest_from(here_));
    if (end && problem->label.kind == "job") {
      const bool is_first = ends_.empty();
      ++ends_[*end];
      if (!is_first) {
        held_back_.insert(problem->label);
        return;
      }
      Problem first = *problem;
      first.error.hint.clear();
      return inner_.event(first);
    }
  }
  // One that is tried now is named as it ends; of those of earlier the number is enough.
  if (const auto* ended = std::get_if<StepEnded>(&event)) {
    if (held_back_.contains(ended->label) && !started_.contains(ended->label)) return;
  }
  inner_.event(event);
}

std::string SweepReport::hint(const CommandLine& line) const {
  std::string text;
  for (const auto& [status, one, many] :
       {std::tuple(RunStatus::kFailed, "failed", "failed"),
        std::tuple(RunStatus::kCancelled, "was cancelled", "were cancelled"),
        std::tuple(RunStatus::kLost, "was lost", "were lost"),
        std::tuple(RunStatus::kSucceeded, "has no result that is taken", "have no result that is taken")}) {
    const auto found = ends_.find(status);
    if (found == ends_.end()) continue;
    text += cat(text.empty() ? "" : ", ", found->second, text.empty() ? " of these jobs " : " ",
                found->second == 1 ? one : many);
  }
  if (text.empty()) return text;
  std::string listed;
  for (const std::string& word : line.words) listed += cat(" ", shell_word(word));
  return cat("hint: ", text, "; `", retried(line), "` tries again, `trainmake runs", listed,
             "` lists them\n");
}

std::string retried(const CommandLine& line) {
  std::string text = cat("trainmake", line.command->name.empty() ? "" : " ", line.command->name);
  // What succeeded is not done again.
  for (const FlagSpec& flag : all_flags()) {
    const auto given = line.value(flag.name);
    if (flag.name == "--retry")
      text += " --retry";
    else if (given && flag.name != "--force")
      text += cat(" ", flag.name, flag.value.empty() ? "" : cat(" ", shell_word(*given)));
  }
  for (const std::string& word : line.words) text += cat(" ", shell_word(word));
  return text;
}

}  // namespace trainmake
