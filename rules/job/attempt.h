// One run of a job, from its intent to its end: handed to the platform (or taken up where another client left
// it), watched, concluded. What is remembered of it is on disk before the step that relies on it. Knows no
// platform by name. Thread rule: one worker; what is remembered goes through Doing::on_owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/log_lines.h"
#include "engine/base/redactor.h"
#include "engine/model/rule.h"
#include "rules/job/in_place.h"
#include "rules/job/metrics.h"
#include "rules/job/services.h"

namespace trainmake {

// What all attempts at one job share.
struct JobPlan {
  JobSpec spec;          // without run and key
  std::string shortest;  // its label, as it is typed here
  Location secrets_at;
  int retries = 0;
  std::string params_json, provenance_json;  // for the record
};

// What a look at a job came to: it goes on, is over, or is left to go on.
enum class Seen : std::uint8_t { kGoesOn, kOver, kLeft };

class Attempt {
 public:
  // `given` is the data that the run was given, or will be: that of the plan may lie elsewhere by now.
  // Nothing when that is not known any more.
  Attempt(const JobServices& services, const JobPlan& plan, const Doing& doing, Metrics metrics,
          std::optional<std::vector<GivenTree>> given, Run run);

  // Whether the platform is to be asked to start it; else somebody did so before.
  Result<bool> take_up(bool is_new);
  // What it is to be started with, and what the platform answered to that.
  Result<Submission> submission();
  Result<void> submitted(Result<std::string> job);
  // All of that, of one that is handed over by itself.
  Result<void> hand_over(bool is_new);
  Result<Seen> look();
  std::chrono::milliseconds pause() const { return pause_; }  // until the next look
  bool is_stopped() const { return doing_.stop.stop_requested(); }
  // Until it is over: true. False when it was left running.
  Result<bool> watch();
  // Keeps what it left, and remembers how it ended. REQUIRES: it is over.
  Result<void> conclude();

  // Of one that ended well, and whose `outputs` are declared as others since: whether what it left has them.
  // Remembers nothing.
  Result<bool> keep_late();
  bool left_nothing() const { return left_nothing_; }          // or it is gone
  bool left_other_names() const { return left_other_names_; }  // than one of its outputs, and ended well
  Result<void> remember_end();

  const Run& run() const { return run_; }
  bool had_ended() const { return had_ended_; }  // before this one took it up
  Error failure() const;  // why there is no result; REQUIRES: concluded, and no success

 private:
  Result<void> remember();
  Result<void> remember_why_not(const Error& error);
  Result<void> read_log();
  Result<void> read_log_to_its_end();
  void take_line(std::string_view line);
  void say(std::string text);
  Patience patience();
  std::string again() const;
  Result<LeftFiles> left_files(std::vector<std::string> also) const;
  Result<std::string> told_left(const LeftFiles& left);
  void promise();
  Result<void> keep_result();
  Result<void> keep_checkpoint();
  Result<void> check_data();
  Result<void> check_files();
  Result<void> check_stores();
  void doubt(const std::string& why);

  const JobServices& services_;
  const JobPlan& plan_;
  const Doing& doing_;
  Metrics metrics_;
  std::optional<std::vector<GivenTree>> given_;
  Run run_;
  bool had_ended_ = false;
  bool left_nothing_ = false;
  bool left_other_names_ = false;
  bool is_first_ = true;  // the platform knew nothing of it
  bool is_in_trouble_ = false;
  std::int64_t watched_since_ns_ = 0;
  std::chrono::milliseconds pause_;
  std::string advice_;          // how to keep that from happening
  std::string promise_;         // of what lies there under other names
  std::optional<Sight> sight_;  // of the data in place, from before it was started
  Redactor redactor_;
  LogLines lines_;
  std::int64_t log_read_ = 0;
  std::uint64_t lines_told_ = 0;  // before this one took it up, from the first on; then how many are left
  LastLines last_lines_;
};

// How a failure is told.
struct Telling {
  std::string again;      // the label and flags with which it is asked for, as they are typed
  bool is_later = false;  // it was not tried now
  std::vector<std::string> new_limits = {};  // "memory is 1G now, was 100M"
  std::string advice = {};                   // how to keep that from happening
};
// "`job:x` failed: exit code 3" with its last lines, and what to do; or why the result of one that succeeded
// is not taken.
Error failure_of(const Run& run, const std::string& label, const LastLines& last_lines,
                 const Telling& telling);
// How the job ended that it tells of, if it is such an error.
std::optional<RunStatus> end_told_by(const Error& error, const std::string& label);
std::string success_of(const Run& run);  // "succeeded in 2.1 s, loss 0.5"
// `trainmake attach` and `cancel` of a job that is left to go on, by its shortest label.
std::string left_running(const std::string& label);

}  // namespace trainmake
