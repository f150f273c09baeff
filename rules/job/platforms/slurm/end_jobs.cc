#include "rules/job/platforms/slurm/end_jobs.h"
#include "rules/job/platforms/slurm/slurm_state.h"

#include <algorithm>
#include <set>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kMostAtOnce = 1000;  // by one command

struct Ending {
  const OwnJob& job;
  std::vector<std::string> numbers = {};  // of it that go on
  Result<void> answer = {};
};

// Their names are compared here and not by scancel: 22.05, told `--name=NAME 12_17`, ends all of array 12
// that waits.
void find(SlurmQueue& queue, std::vector<Ending>& all, const SlurmPatience& patience) {
  std::set<std::string> names;
  for (const Ending& one : all) {
    if (!queue.is_known_over(one.job)) names.insert(one.job.name);
  }
  if (names.empty()) return;
  auto told = queue.named_now({names.begin(), names.end()}, patience);
  for (Ending& one : all) {
    if (!names.contains(one.job.name)) continue;
    if (!told) {
      one.answer = fail(told.error());
      continue;
    }
    if (auto seen = queue.see_folders(one.job, *told, patience); !seen) {
      one.answer = fail(std::move(seen).error());
      continue;
    }
    GoingOn found = going_on_of(one.job, *told);
    one.numbers = std::move(found.numbers);
    if (found.is_known || !one.job.has_started) continue;
    const auto gone = queue.is_gone(one.job, patience);
    if (!gone)
      one.answer = fail(gone.error());
    else if (!*gone)
      one.answer = fail(user_error(cat("Slurm does not tell whether job ", one.job.number, " goes on"),
                                   "Cancel it again in some seconds")
                            .because(Blame::kRemote));
  }
}

Result<void> end(SlurmCommands& commands, const std::vector<std::string>& numbers,
                 const SlurmPatience& patience) {
  std::vector<std::string> words = scancel_numbers(numbers);
  const std::string typed = join(words, " ");
  words.insert(words.begin(), "scancel");
  const auto told = commands.run(std::move(words), patience);
  if (!told) return fail(not_told(told.error()));
  if (told->exit_code == 0 || are_over_by_now(told->errors)) return {};
  return fail(user_error(cat("Slurm does not end ", numbers.size() == 1 ? "job " : "jobs ", typed, ": ",
                             printable(complaint_of(told->errors))),
                         cat("`scancel ", typed, "` does the same"))
                  .because(Blame::kRemote));
}

}  // namespace

std::vector<Result<void>> end_jobs(SlurmQueue& queue, SlurmCommands& commands,
                                   const std::vector<OwnJob>& jobs, const SlurmPatience& patience) {
  std::vector<Ending> all;
  for (const OwnJob& job : jobs) all.push_back(Ending{job});
  find(queue, all, patience);
  std::vector<Ending*> group;
  std::vector<std::string> numbers;
  const auto end_group = [&] {
    const Result<void> ended = numbers.empty() ? Result<void>() : end(commands, numbers, patience);
    for (Ending* one : group) one->answer = ended;
    group.clear();
    numbers.clear();
  };
  for (Ending& one : all) {
    if (one.numbers.empty()) continue;
    group.push_back(&one);
    numbers.insert(numbers.end(), one.numbers.begin(), one.numbers.end());
    if (numbers.size() >= kMostAtOnce) end_group();
  }
  end_group();
  std::vector<Result<void>> answers;
  for (Ending& one : all) answers.push_back(std::move(one.answer));
  return answers;
}

}  // namespace trainmake
