#include "rules/job/platforms/local/leftovers.h"

#include <algorithm>
#include <chrono>

#include "engine/base/child.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{10};             // between looks at what is left
constexpr milliseconds kTimeToEnd{3'000};     // between SIGTERM and SIGKILL
constexpr milliseconds kTimeToVanish{3'000};  // after SIGKILL; one in a system call may take a while

std::int64_t in_ns(milliseconds time) { return std::chrono::nanoseconds(time).count(); }

std::vector<std::string> as_words(const std::map<std::string, std::string>& marks) {
  std::vector<std::string> words;
  for (const auto& [name, value] : marks) words.push_back(cat(name, "=", value));
  return words;
}

std::vector<std::string> marks_in(FileSystem& files, const RunFolder& run) {
  const auto bytes = read_file(files, run.order());
  const std::optional<Order> order = bytes ? parse_order(*bytes) : std::nullopt;
  return order ? as_words(marks_of(*order)) : std::vector<std::string>();
}

bool has(const std::vector<std::string>& environment, const std::string& word) {
  return std::find(environment.begin(), environment.end(), word) != environment.end();
}

// A moved folder is still the one that the run was started in; a copy is another, and its marks name the one
// that it was copied from. One that was copied to where the marks lead has taken that one's place.
Result<bool> is_its_own(FileSystem& files, const RunFolder& run, const Start& start,
                        const std::vector<std::string>& marks) {
  TRY_ASSIGN(const Stat folder, files.look(run.top));
  if (folder.exists() && folder.inode == start.folder) return true;
  return std::find(marks.begin(), marks.end(), cat(kOutputFolder, "=", run.output())) != marks.end();
}

Witness::Says whose(const std::optional<std::vector<std::string>>& environment,
                    const std::vector<std::string>& marks) {
  // A program that shows a title of its own has written it over its environment.
  if (!environment || environment->empty()) return Witness::Says::kNothing;
  const bool ours = !marks.empty() && std::all_of(marks.begin(), marks.end(), [&](const std::string& mark) {
    return has(*environment, mark);
  });
  return ours ? Witness::Says::kOurs : Witness::Says::kAnothers;
}

bool is_among(const std::vector<Process>& processes, const Process& process) {
  return std::any_of(processes.begin(), processes.end(),
                     [&](const Process& other) { return other.is(process); });
}

Error still_living(const std::vector<Process>& processes, const std::string& why) {
  std::vector<std::string> numbers;
  for (const Process& process : processes) numbers.push_back(cat(process.number));
  const bool one = numbers.size() == 1;
  return step_error(cat(one ? "Process " : "Processes ", join(numbers, ", "), " of the job cannot be ended",
                        why.empty() ? "" : ": ", why),
                    cat("The job is not started again while ", one ? "it lives" : "they live"));
}

}  // namespace

std::vector<Process> members_of(const std::vector<Witness>& witnesses, const Start& start, bool same_boot) {
  const auto in_session = [&](const Witness& one) { return one.process.session == start.supervisor; };
  // Its number is nobody else's while one process is in a session; then another may lead one of that number.
  const bool another_leads = std::any_of(witnesses.begin(), witnesses.end(), [&](const Witness& one) {
    return one.process.number == start.supervisor && one.process.birth != start.birth;
  });
  const bool session_known = same_boot && start.birth != 0 && !another_leads;
  const bool session_proven = std::any_of(witnesses.begin(), witnesses.end(), [&](const Witness& one) {
    return in_session(one) && one.says == Witness::Says::kOurs;
  });
  std::vector<Process> all, members;
  for (const Witness& one : witnesses) {
    all.push_back(one.process);
    const bool by_session = session_known && in_session(one) && one.process.birth >= start.birth &&
                            (session_proven || one.says != Witness::Says::kAnothers);
    if (by_session || one.says == Witness::Says::kOurs) members.push_back(one.process);
  }
  return with_descendants(all, std::move(members));
}

Result<Start> start_of_this_process(FileSystem& files, const RunFolder& run, std::int64_t now_ns) {
  TRY_ASSIGN(const Stat folder, files.look(run.top));
  Start start{process_id(), now_ns, 0, {}, folder.inode};
  const std::optional<Process> self = find_process(files, start.supervisor);
  if (!self || self->session != self->number) return start;
  start.birth = self->birth;
  start.boot = boot_of(files);
  return start;
}

Result<std::vector<Process>> leftovers_of(FileSystem& files, const RunFolder& run, const Start& start) {
  const std::vector<std::string> marks = marks_in(files, run);
  TRY_ASSIGN(const bool own, is_its_own(files, run, start, marks));
  if (!own) return std::vector<Process>();
  TRY_ASSIGN(const std::vector<Process> living, living_processes(files));
  std::vector<Witness> witnesses;
  for (const Process& process : living) {
    if (process.number == process_id()) continue;
    witnesses.push_back({process, whose(environment_of(files, process), marks)});
  }
  return members_of(witnesses, start, is_this_boot(files, start.boot));
}

Result<std::vector<Process>> homeless_of(FileSystem& files, const RunFolder& run) {
  const std::vector<std::string> marks = as_words(marks_of(run));
  const std::string supervised = cat(kSupervised, "=", run.top);
  TRY_ASSIGN(const std::vector<Process> living, living_processes(files));
  std::vector<Process> members;
  for (const Process& process : living) {
    const auto environment = environment_of(files, process);
    const bool is_ours =
        whose(environment, marks) == Witness::Says::kOurs || (environment && has(*environment, supervised));
    if (is_ours && process.number != process_id()) members.push_back(process);
  }
  return with_descendants(living, std::move(members));
}

Result<void> end_all(const FindProcesses& find, Processes& processes, Clock& clock) {
  const std::int64_t began = clock.steady_ns();
  std::vector<Process> asked, refused;
  std::string why;
  for (;;) {
    TRY_ASSIGN(const std::vector<Process> found, find());
    if (found.empty()) return {};
    const std::int64_t passed = clock.steady_ns() - began;
    const Signal signal = passed > in_ns(kTimeToEnd) ? Signal::kKill : Signal::kTerminate;
    for (const Process& process : found) {
      if (is_among(refused, process)) continue;
      if (signal == Signal::kTerminate && is_among(asked, process)) continue;
      asked.push_back(process);
      if (const auto sent = processes.send(process, signal); !sent) {
        refused.push_back(process);
        why = sent.error().message;
      }
    }
    // One that refuses is no reason to let the others live.
    const bool only_refused = std::all_of(found.begin(), found.end(),
                                          [&](const Process& process) { return is_among(refused, process); });
    if (only_refused || passed > in_ns(kTimeToEnd + kTimeToVanish)) return fail(still_living(found, why));
    clock.wait(kLook, {});
  }
}

}  // namespace trainmake
