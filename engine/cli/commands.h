// Every command as a function; the table that finds them is in commands.cc. Each returns the exit code,
// having said what is to be said.
#pragma once

#include <stop_token>

#include "engine/cli/session.h"

namespace trainmake {

struct Call {
  Session& session;
  std::stop_token stop;
};
using CommandFunction = Result<int> (*)(const Call& call);

// Those that need a workspace. An error they return is printed and decides the exit code.
Result<int> plan_command(const Call& call);
Result<int> why_command(const Call& call);
Result<int> why_run_command(const Call& call);   // `why` of past runs
Result<int> overview_command(const Call& call);  // `trainmake` alone
Result<int> query_command(const Call& call);
Result<int> graph_command(const Call& call);
Result<int> affected_command(const Call& call);
Result<int> logs_command(const Call& call);
Result<int> attach_command(const Call& call);
Result<int> cancel_command(const Call& call);
Result<int> pull_command(const Call& call);
Result<int> image_command(const Call& call);
Result<int> export_command(const Call& call);
Result<int> data_command(const Call& call);
Result<int> runs_command(const Call& call);
Result<int> show_command(const Call& call);
Result<int> diff_command(const Call& call);
Result<int> ps_command(const Call& call);
Result<int> gc_command(const Call& call);
Result<int> repro_command(const Call& call);
Result<int> cache_command(const Call& call);
Result<int> update_command(const Call& call);
Result<int> uai_command(const Call& call);
Result<int> shell_command(const Call& call);  // `run --shell`

// Those that need none.
Result<int> new_command(const CommandLine& line, const Environment& environment);
Result<int> import_command(const CommandLine& line, const Environment& environment);
Result<int> login_command(const CommandLine& line, const Environment& environment);
Result<int> doctor_command(const CommandLine& line, const Environment& environment);
Result<int> completion_command(const CommandLine& line, const Environment& environment);
Result<int> help_command(const CommandLine& line);

// The whole program.
int run_command_line(const std::vector<std::string>& arguments, const Environment& environment);

// Helpers of commands.
Result<Loaded> load_or_fail(
    const Call& call, const std::vector<Pattern>& patterns);  // prints all errors but the last, returns that
Failure fail_with(const Call& call, std::vector<Error> errors);  // the same; REQUIRES: some
int report_error_alone(const Error& error, bool json);  // as text, or as `error` and `finished` lines

}  // namespace trainmake
