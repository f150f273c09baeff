// One run of a job, from its intent to its end: handed to the platform (or taken up where another client left
// it), watched, concluded. What is remembered of it is on disk before the step that relies on it. Knows no
// platform by name. Thread rule: one worker; what is remembered goes through Doing::on_owner.
#pragma once

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

class Attempt {
 public:
  // `given` is the data that the run was given, or will be: that of the plan may lie elsewhere by now.
  // Nothing when that is not known any more.
  Attempt(const JobServices& services, const JobPlan& plan, const Doing& doing, Metrics metrics,
          std::optional<std::vector<GivenTree>> given, Run run);

  // Asks the platform to start it, unless it did so before.
  Result<void> hand_over(bool is_new);
  // Until it is over: true. False when it was left running.
  Result<bool> watch();
  // Keeps what it left, and remembers how it ended. REQUIRES: watch() returned true.
  Result<void> conclude();

  const Run& run() const { return run_; }
  bool had_ended() const { return had_ended_; }  // before this one took it up
  Error failure() const;        // why there is no result; REQUIRES: concluded, and no success
  std::string success() const;  // "succeeded in 2.1 s, loss 0.5"

 private:
  Result<void> submit();
  Result<void> remember();
  void read_log();
  void take_line(std::string_view line);
  void say(std::string text);
  Result<void> keep_result();
  Result<void> check_data();

  const JobServices& services_;
  const JobPlan& plan_;
  const Doing& doing_;
  Metrics metrics_;
  std::optional<std::vector<GivenTree>> given_;
  Run run_;
  bool had_ended_ = false;
  std::optional<Sight> sight_;  // of the data in place, from before it was started
  Redactor redactor_;
  LogLines lines_;
  std::int64_t log_read_ = 0;
  LastLines last_lines_;
};

// "`job:x` failed: exit code 3" with its last lines, and what to do. Later: it was not tried now.
enum class Told : std::uint8_t { kNow, kLater };
Error failure_of(const Run& run, const std::string& label, const LastLines& last_lines, Told told);

}  // namespace trainmake
