// Slurm's commands in memory: sbatch starts the script at once, as a process of this machine, and squeue
// tells how it goes. Forgets, refuses, loses answers and does not answer on demand; counts calls. Thread
// rule: any thread.
#pragma once

#include <signal.h>

#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/process_table.h"
#include "engine/base/text.h"
#include "rules/job/platforms/slurm/slurm_answers.h"

namespace trainmake {

class FakeSlurm final : public Processes {
 public:
  ~FakeSlurm() override {
    for (auto& [number, job] : jobs_) kill_group(job, SIGKILL);
  }

  Result<ProcessResult> run(const Command& command, std::stop_token) override {
    const std::lock_guard lock(mutex_);
    const std::string& program = command.arguments.front();
    ++calls[program];
    if (const auto failure = failing.find(program); failure != failing.end()) return failure->second;
    if (program == "sbatch") return sbatch(command);
    if (program == "squeue") return squeue(command);
    if (program == "scancel") return scancel(command.arguments);
    if (program == "scontrol") return scontrol(command.arguments);
    if (program == "sacct") return ProcessResult{1, "", "Slurm accounting storage is disabled\n"};
    return fail(user_error(cat("Cannot run ", quoted(program), ": it is not in PATH")));
  }
  Result<int> start_detached(const Command&) override { return fail(step_error("Nothing is started here")); }
  Result<bool> send(const Process&, Signal) override { return false; }

  // What a command comes to in place of what it does.
  std::map<std::string, Result<ProcessResult>> failing;
  std::map<std::string, int> calls;
  bool lose_answers = false;  // of sbatch: it goes through, and then times out
  bool hold_jobs = false;     // they wait, and do not start
  int empty_answers = 0;      // of squeue, the next ones, with exit code 0
  int max_array_size = 1001;
  std::vector<std::string> last_words;

  void set_state(const std::string& number, std::string state, std::string reason = "None") {
    const std::lock_guard lock(mutex_);
    Job& job = jobs_.at(number);
    kill_group(job, SIGKILL);
    job.told.state = std::move(state);
    job.told.reason = std::move(reason);
    job.forced = true;
  }
  // `restarts` times it was started before, as Slurm remembers it.
  void start(const std::string& number, int restarts = 0) {
    const std::lock_guard lock(mutex_);
    Job& job = jobs_.at(number);
    job.told.restarts = restarts;
    begin(job);
  }
  void forget_all() {
    const std::lock_guard lock(mutex_);
    for (auto& [number, job] : jobs_) kill_group(job, SIGKILL);
    jobs_.clear();
  }
  // As a cluster that was made anew, whose numbers begin with 1 again.
  void begin_anew() {
    forget_all();
    const std::lock_guard lock(mutex_);
    next_ = 0;
  }
  std::string state_of(const std::string& number) {
    const std::lock_guard lock(mutex_);
    return jobs_.at(number).told.state;
  }
  void comment_on(const std::string& number, std::string comment) {
    const std::lock_guard lock(mutex_);
    jobs_.at(number).told.comment = std::move(comment);
  }
  void forget(const std::string& number) {
    const std::lock_guard lock(mutex_);
    jobs_.erase(number);
  }
  std::size_t jobs() {
    const std::lock_guard lock(mutex_);
    return jobs_.size();
  }

 private:
  struct Job {
    SlurmJob told;
    std::string folder, output, script;
    int process = 0;
    bool cancelled = false, forced = false;
    std::int64_t cancelled_ns = 0;
  };
  static constexpr std::int64_t kKillWait_ns = 3'000'000'000;  // as slurm.conf has it, but shorter

  static std::string value_of_option(const Command& command, const std::string& name) {
    for (const std::string& word : command.arguments) {
      if (word.starts_with(cat("--", name, "="))) return word.substr(name.size() + 3);
    }
    return "";
  }

  static void kill_group(const Job& job, int signal) {
    if (job.process > 0) ::kill(-job.process, signal);
  }

  Result<ProcessResult> sbatch(const Command& command) {
    last_words = command.arguments;
    const std::string number = cat(++next_);
    for (const std::string& element : elements_of(value_of_option(command, "array"))) {
      const std::string own = element.empty() ? number : cat(number, "_", element);
      Job& job = jobs_[own];
      job.told = {own, "PENDING", value_of_option(command, "job-name"), "Priority",
                  value_of_option(command, "comment")};
      job.folder = value_of_option(command, "chdir");
      job.output = value_of_option(command, "output");
      if (const std::size_t at = job.output.find("%a"); at != job.output.npos)
        job.output.replace(at, 2, element);
      job.script = command.arguments.back();
      if (!hold_jobs) begin(job);
    }
    if (!lose_answers) return ProcessResult{0, number + "\n", ""};
    return ProcessResult{
        1, "", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"};
  }

  // "" of a job that is no array.
  static std::vector<std::string> elements_of(const std::string& ranges) {
    std::vector<std::string> elements;
    for (const std::string& range : split(ranges, ',')) {
      const std::vector<std::string> ends = split(range, '-');
      if (ends.size() < 2) {
        elements.push_back(range);
        continue;
      }
      for (int i = *whole_number<int>(ends[0]); i <= *whole_number<int>(ends[1]); ++i)
        elements.push_back(cat(i));
    }
    return elements.empty() ? std::vector<std::string>{""} : elements;
  }

  void begin(Job& job) {
    Command start;
    start.arguments = {"/bin/sh", "-c", "exec /bin/sh \"$0\" >>\"$1\" 2>&1", job.script, job.output};
    start.environment = {{"PATH", "/usr/bin:/bin"}, {"SLURM_JOB_ID", job.told.number}, {"LEAKED", "1"}};
    if (!job.told.element().empty()) {
      start.environment["SLURM_ARRAY_JOB_ID"] = job.told.number.substr(0, job.told.number.find('_'));
      start.environment["SLURM_ARRAY_TASK_ID"] = job.told.element();
    }
    if (job.told.restarts > 0) start.environment["SLURM_RESTART_COUNT"] = cat(job.told.restarts);
    start.folder = job.folder;
    job.cancelled = job.forced = false;
    job.process = real_processes().start_detached(start).value_or(0);
    job.told.state = "RUNNING";
    job.told.reason = "None";
    job.told.started_s = real_clock().now_ns() / 1'000'000'000;
  }

  void look(Job& job) {
    const bool is_late = job.cancelled && real_clock().steady_ns() - job.cancelled_ns > kKillWait_ns;
    if (is_late) kill_group(job, SIGKILL);
    if (job.forced || job.told.state != "RUNNING" || find_process(real_file_system(), job.process)) return;
    const std::ifstream exit(job.folder + "/exit.json");
    job.told.state = job.cancelled ? "CANCELLED" : exit ? "COMPLETED" : "FAILED";
    job.told.ended_s = real_clock().now_ns() / 1'000'000'000;
  }

  Result<ProcessResult> squeue(const Command& command) {
    if (empty_answers > 0) {
      --empty_answers;
      return ProcessResult{0, "", ""};
    }
    const std::vector<std::string> names = split(value_of_option(command, "name"), ',');
    std::string text;
    for (auto& [number, job] : jobs_) {
      if (!names.empty() && std::find(names.begin(), names.end(), job.told.name) == names.end()) continue;
      look(job);
      const SlurmJob& told = job.told;
      const std::pair<std::string, std::size_t> fields[] = {
          {told.number.substr(0, told.number.find('_')), 20},
          {told.element().empty() ? "N/A" : std::string(told.element()), 20},
          {told.state, 24},
          {cat(told.restarts), 10},
          {cat(told.started_s), 20},
          {cat(told.ended_s), 20},
          {told.name, 64},
          {told.comment, 64},
          {told.reason, 128}};
      for (auto [field, width] : fields) {
        field.resize(width, ' ');
        text += field;
      }
      text += "\n";
    }
    return ProcessResult{0, text, ""};
  }

  Result<ProcessResult> scontrol(const std::vector<std::string>& words) {
    if (words.size() < 5 || words[3] != "job")
      return ProcessResult{0, cat("MaxArraySize            = ", max_array_size, "\n"), ""};
    std::string text;
    for (auto& [number, job] : jobs_) {
      const std::string whole = number.substr(0, number.find('_'));
      if (whole != words[4]) continue;
      look(job);
      const std::string array =
          job.told.element().empty() ? "" : cat(" ArrayJobId=", whole, " ArrayTaskId=", job.told.element());
      text +=
          cat("JobId=", whole, array, " JobName=", job.told.name, " UserId=me(1) JobState=", job.told.state,
              " Reason=None WorkDir=", job.folder, " Comment=", job.told.comment, " StdErr=/dev/null\n");
    }
    if (!text.empty()) return ProcessResult{0, text, ""};
    return ProcessResult{1, "", "slurm_load_jobs error: Invalid job id specified\n"};
  }

  Result<ProcessResult> scancel(const std::vector<std::string>& words) {
    ProcessResult answer{0, "", ""};
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::size_t open = words[i].find("_[");
      if (open == std::string::npos) {
        scancel(words[i], answer);
        continue;
      }
      for (const std::string& element : elements_of(words[i].substr(open + 2, words[i].size() - open - 3)))
        scancel(cat(words[i].substr(0, open), "_", element), answer);
    }
    return answer;
  }

  void scancel(const std::string& number, ProcessResult& answer) {
    const auto found = jobs_.find(number);
    if (found == jobs_.end()) {
      answer.exit_code = 1;
      answer.errors +=
          cat("scancel: error: Kill job error on job id ", number, ": Invalid job id specified\n");
      return;
    }
    Job& job = found->second;
    look(job);
    if (job.told.state == "PENDING") job.told.state = "CANCELLED";
    if (job.told.state == "RUNNING") {
      job.cancelled = true;
      job.cancelled_ns = real_clock().steady_ns();
      kill_group(job, SIGTERM);
    }
  }

  std::mutex mutex_;
  std::map<std::string, Job> jobs_;
  int next_ = 0;
};

}  // namespace trainmake
