#include "engine/cli/commands.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/cli/build.h"
#include "engine/cli/interrupt.h"
#include "rules/job/platforms/local/supervisor.h"
#include "rules/job/platforms/slurm/hide_on_node.h"
#include "rules/job/platforms/slurm/run_on_node.h"

namespace trainmake {
namespace {

struct Entry {
  std::string_view name;
  CommandFunction function;
};

constexpr Entry kInWorkspace[] = {
    {"plan", plan_command},     {"why", why_command},           {"query", query_command},
    {"graph", graph_command},   {"affected", affected_command}, {"logs", logs_command},
    {"attach", attach_command}, {"cancel", cancel_command},     {"pull", pull_command},
    {"image", image_command},   {"data", data_command},         {"runs", runs_command},
    {"show", show_command},     {"diff", diff_command},         {"ps", ps_command},
    {"gc", gc_command},         {"repro", repro_command},       {"cache", cache_command},
    {"update", update_command}, {"export", export_command},     {"uai", uai_command},
};

// Or leaves something half written when it is ended in the middle.
bool changes_something(std::string_view command) {
  return command == "attach" || command == "cancel" || command == "gc" || command == "cache" ||
         command == "update" || command == "image" || command == "repro";
}

Result<int> in_workspace(CommandLine line, const Environment& environment) {
  if (line.command->name == "run" && line.words.empty())
    return fail(user_error("`trainmake run` needs a label", "As `trainmake run --local job:mnist`"));
  const bool builds = line.command->name == "run" || (line.command->name.empty() && !line.words.empty());
  const bool dry = line.has("--dry-run");
  CommandFunction function = line.command->name.empty() ? overview_command : nullptr;
  for (const Entry& entry : kInWorkspace) {
    if (entry.name == line.command->name) function = entry.function;
  }
  if (builds && dry) function = plan_command;
  TRY_ASSIGN(const std::unique_ptr<Session> session, Session::open(std::move(line), environment));
  if (session->line().has("--shell")) return shell_command({*session, {}});
  if (builds && !dry) return build(*session, session->line().words);
  CHECK(function != nullptr);
  // What only looks is ended by Ctrl-C as any program is.
  if (!changes_something(session->line().command->name)) return function({*session, {}});
  const Interrupts interrupts;
  return function({*session, interrupts.first()});
}

Result<int> dispatch(CommandLine line, const Environment& environment) {
  if (line.has("--version")) {
    write_stdout(line.has("--json") ? cat("{\"version\":\"", TRAINMAKE_VERSION, "\"}\n")
                                    : cat("trainmake ", TRAINMAKE_VERSION, "\n"));
    return 0;
  }
  const std::string_view name = line.command->name;
  if (line.has("--help") || name == "help") return help_command(line);
  if (name == "completion") return completion_command(line, environment);
  if (name == "new") return new_command(line, environment);
  if (name == "import") return import_command(line, environment);
  if (name == "login") return login_command(line, environment);
  if (name == "doctor") return doctor_command(line, environment);
  return in_workspace(std::move(line), environment);
}

int answer_command_line(const std::vector<std::string>& arguments, const Environment& environment) {
  Result<CommandLine> line = parse_command_line(arguments);
  if (!line) {
    const bool json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
    return report_error_alone(line.error(), json);
  }
  const bool json = line->has("--json");
  const Result<int> code = dispatch(*std::move(line), environment);
  return code ? *code : report_error_alone(code.error(), json);
}

}  // namespace

int report_error_alone(const Error& error, bool json) {
  if (!json) {
    write_stderr(error_text(error));
    return exit_code_of(error.blame);
  }
  const std::unique_ptr<Reporter> reporter = make_json_reporter();
  reporter->event(Problem{error, {}});
  Summary summary;
  summary.exit_code = exit_code_of(error.blame);
  const Tally tally;
  reporter->finished(summary, tally);
  return summary.exit_code;
}

Result<Loaded> load_or_fail(const Call& call, const std::vector<Pattern>& patterns) {
  Loaded loaded = load_graph(call.session, patterns);
  if (loaded.errors.empty()) return loaded;
  return fail_with(call, std::move(loaded.errors));
}

Failure fail_with(const Call& call, std::vector<Error> errors) {
  const std::unique_ptr<Reporter> reporter =
      call.session.json() ? make_json_reporter() : make_plain_reporter(call.session.here());
  for (std::size_t i = 0; i + 1 < errors.size(); ++i) reporter->event(Problem{errors[i], {}});
  return fail(std::move(errors.back()));
}

namespace {

// Begun by the script of a job: a word of ours, and what it is about.
int on_node(const std::vector<std::string>& arguments) {
  constexpr int kCannotRun = 127;  // as shells have it
  const std::vector<std::string> more(arguments.begin() + 2, arguments.end());
  const Result<int> code =
      arguments[0] == kOnNodeFlag ? run_on_node(arguments[1], more) : run_hiding(arguments[1], more);
  if (!code) write_stderr(error_text(code.error()));
  return code.value_or(kCannotRun);
}

}  // namespace

int run_command_line(const std::vector<std::string>& arguments, const Environment& environment) {
  if (arguments.size() == 2 && arguments[0] == kSuperviseFlag) return supervise(arguments[1]);
  const bool is_on_node = arguments.size() >= 2 && arguments[0] == kOnNodeFlag;
  const bool is_hiding = arguments.size() >= 3 && arguments[0] == kHidingFlag;
  if (is_on_node || is_hiding) return on_node(arguments);
  const int code = answer_command_line(arguments, environment);
  const Result<void> closed = close_stdout();
  if (closed) return code;
  write_stderr(error_text(closed.error()));
  return code != 0 ? code : exit_code_of(closed.error().blame);
}

}  // namespace trainmake
