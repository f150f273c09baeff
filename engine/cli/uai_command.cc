// `uai bill|list|stop|rename|memo|remove`: what UCloud's own tool does of jobs beside running them.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/find_run.h"
#include "engine/cli/hold.h"
#include "engine/cli/present_run.h"
#include "engine/cli/run_filter.h"
#include "engine/cli/table.h"
#include "rules/job/platforms/uai/uai_choice.h"
#include "rules/job/platforms/uai/uai_console.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kMonth_ns = 30LL * 24 * 3600 * kSecond_ns;

struct Way {
  const char* name;
  std::size_t words;  // behind it
  const char* example;
};
constexpr std::array kWays = {Way{"bill", 0, "trainmake uai bill --since 7d"},
                              Way{"list", 0, "trainmake uai list"},
                              Way{"stop", 1, "trainmake uai stop job:mnist"},
                              Way{"rename", 2, "trainmake uai rename job:mnist mnist-first"},
                              Way{"memo", 2, "trainmake uai memo job:mnist \"a good one\""},
                              Way{"remove", 1, "trainmake uai remove job:mnist"}};

Result<const Way*> way_of(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const Way& way : kWays) {
    if (!words.empty() && words.front() == way.name) {
      if (words.size() - 1 == way.words) return &way;
      return fail(user_error(
          cat("`trainmake uai ", way.name, "` takes ", plural(way.words, "word"), ", got ", words.size() - 1),
          cat("As `", way.example, "`")));
    }
    names.emplace_back(way.name);
  }
  const std::string meant = words.empty() ? "" : did_you_mean(words.front(), names);
  return fail(user_error(cat("`trainmake uai` needs `", join(names, "`, `"), "`"),
                         meant.empty() ? cat("As `", kWays.front().example, "`") : meant));
}

Result<std::unique_ptr<UaiConsole>> console_of(Session& session, const Service& platform) {
  TRY_ASSIGN(UaiOptions options, uai_options_of(platform, session.workspace().root));
  return std::make_unique<UaiConsole>(session.host(), session.workspace(), session.tally(),
                                      std::move(options),
                                      [](const std::string& text) { write_stderr(text + "\n"); });
}

void print_json(const UaiBilledJob& job, const Run* run) {
  Json line = {{"job", job.id},      {"name", job.name},       {"run", nullptr},    {"label", nullptr},
               {"state", job.state}, {"seconds", job.seconds}, {"cents", job.cents}};
  if (run != nullptr) {
    line["run"] = run->id;
    line["label"] = run->label.text();
  }
  write_stdout(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

// Of the platform that is chosen, without a run.
Result<std::unique_ptr<UaiConsole>> usual_console(Session& session) {
  TRY_ASSIGN(const Space* space, session.space());
  TRY_ASSIGN(const Service* platform, uai_platform_of(*space, session.line().value("--platform")));
  return console_of(session, *platform);
}

// What is remembered here of the service's jobs, by their ids.
using RunsByJob = std::map<std::string, Run>;
Result<RunsByJob> runs_by_job(Session& session) {
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(std::vector<Run> runs, session.state().all());
  RunsByJob by_job;
  for (Run& run : runs) {
    if (const std::string job = run.job; !job.empty()) by_job.emplace(job, std::move(run));
  }
  return by_job;
}

Json time_json(std::int64_t seconds) { return seconds == 0 ? Json() : Json(time_text(seconds * kSecond_ns)); }

void print_json(const UaiJob& job, const Run* run) {
  const Json line = {{"job", job.id},
                     {"name", job.name},
                     {"run", run == nullptr ? Json() : Json(run->id)},
                     {"label", run == nullptr ? Json() : Json(run->label.text())},
                     {"state", job.state},
                     {"memo", job.memo},
                     {"created", time_json(job.created_s)},
                     {"started", time_json(job.started_s)},
                     {"ended", time_json(job.ended_s)}};
  write_stdout(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<int> print_list(Session& session, const std::stop_token& stop) {
  TRY_ASSIGN(const std::unique_ptr<UaiConsole> console, usual_console(session));
  TRY_ASSIGN(const std::vector<UaiJob> jobs, console->jobs(stop));
  TRY_ASSIGN(const RunsByJob runs, runs_by_job(session));
  std::vector<std::vector<std::string>> rows = {{"run", "label", "job", "name", "state", "created", "memo"}};
  for (const UaiJob& job : jobs) {
    const auto found = runs.find(job.id);
    const Run* ours = found == runs.end() ? nullptr : &found->second;
    if (session.json()) print_json(job, ours);
    rows.push_back({ours == nullptr ? "-" : ours->id, ours == nullptr ? "-" : session.shown(ours->label),
                    printable(job.id), printable(job.name), printable(job.state),
                    moment_text(job.created_s * kSecond_ns), printable(job.memo)});
  }
  if (!session.json()) write_stdout(table_text(rows));
  return 0;
}

Result<int> print_bill(Session& session) {
  TRY_ASSIGN(const std::unique_ptr<UaiConsole> console, usual_console(session));
  const std::int64_t now_ns = session.host().clock.now_ns();
  std::int64_t from_ns = now_ns - kMonth_ns;
  if (const std::optional<std::string> since = session.line().value("--since")) {
    if (whole_number<std::int64_t>(*since))
      return fail(user_error(cat("Flag `--since` takes a time, and ", quoted(*since), " has no unit"),
                             cat("As `", *since, "d`, of days, or `", *since, "h`, of hours")));
    const std::optional<std::int64_t> parsed = parse_since(*since, now_ns);
    if (!parsed)
      return fail(user_error(cat("Flag `--since` takes a time, got ", quoted(*since)),
                             "As `2h`, `3d`, `2026-01-31` or `\"2026-01-31 12:30\"` (UTC)"));
    from_ns = *parsed;
  }
  TRY_ASSIGN(const UaiBill bill, console->bill(from_ns / kSecond_ns, now_ns / kSecond_ns));
  TRY_ASSIGN(const RunsByJob runs, runs_by_job(session));
  std::vector<std::vector<std::string>> rows = {{"run", "label", "job", "name", "state", "took", "yuan"}};
  for (const UaiBilledJob& job : bill.jobs) {
    const auto found = runs.find(job.id);
    const Run* ours = found == runs.end() ? nullptr : &found->second;
    if (session.json()) print_json(job, ours);
    rows.push_back({ours == nullptr ? "-" : ours->id, ours == nullptr ? "-" : session.shown(ours->label),
                    printable(job.id), printable(job.name), printable(job.state),
                    human_duration(job.seconds * 1000), yuan_text(job.cents)});
  }
  if (session.json()) return 0;
  rows.push_back({"", "", "", "", "all", human_duration(bill.seconds * 1000), yuan_text(bill.cents)});
  write_stdout(table_text(rows));
  return 0;
}

Result<bool> is_on_uai(Session& session, const Run& run) {
  TRY_ASSIGN(const Space* space, session.space());
  const Service* platform = space->find("platform", run.platform);
  return platform != nullptr && is_uai(*platform);
}

// A label is of its latest run there, whatever was tried on this machine since.
Result<Run> run_of(Session& session, const std::string& word) {
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(Run run, find_run_going_on(session, word, WhichRun::kLatest));
  TRY_ASSIGN(const bool is_there, is_on_uai(session, run));
  if (is_there) return run;
  if (is_label_like(word)) {
    TRY_ASSIGN(const std::vector<Run> runs, session.state().all());
    for (const Run& other : runs) {
      TRY_ASSIGN(const bool is_other_there, is_on_uai(session, other));
      if (is_other_there && other.label == run.label) return other;
    }
  }
  TRY_ASSIGN(const Space* space, session.space());
  const bool is_gone = run.platform != "local" && space->find("platform", run.platform) == nullptr;
  return fail(user_error(cat("Run ", run.id, " was on platform ", quoted(run.platform), ", which is ",
                             is_gone ? "not declared" : "no UAI-Train"),
                         "`trainmake runs` says where each was"));
}

Result<std::unique_ptr<UaiConsole>> console_of(Session& session, const Run& run) {
  TRY_ASSIGN(const Space* space, session.space());
  return console_of(session, *space->find("platform", run.platform));
}

std::string shown_run(Session& session, const Run& run) {
  return cat("run ", run.id, " of ", session.shown(run.label));
}

// A word that names no run of this workspace is the service's id of somebody else's job.
Result<bool> names_run(Session& session, const std::string& word) {
  if (is_label_like(word)) return true;
  TRY(session.open_state(State::Access::kLook));
  TRY_ASSIGN(const std::vector<Run> runs, session.state().all());
  for (const Run& run : runs) {
    if (run.id.starts_with(word)) return true;
    if (run.job != word) continue;
    // Its platform may have another name by now: the service knows the id all the same.
    return is_on_uai(session, run);
  }
  return false;
}

Result<int> stop_job(Session& session, const std::string& word) {
  std::string job = word, name = quoted(word);
  std::unique_ptr<UaiConsole> console;
  TRY_ASSIGN(const bool is_ours, names_run(session, word));
  if (is_ours) {
    TRY_ASSIGN(const Run run, run_of(session, word));
    TRY_ASSIGN(console, console_of(session, run));
    TRY_ASSIGN(job, console->number_of(run));
    name = cat(shown_run(session, run), ", ", quoted(job));
  } else {
    TRY_ASSIGN(console, usual_console(session));
  }
  TRY(console->stop(job));
  if (session.json())
    write_stdout(Json({{"job", printable(job)}, {"stopped", true}}).dump() + "\n");
  else
    write_stderr(cat("UAI-Train was asked to stop ", name, "; `trainmake uai list` shows its state\n"));
  return 0;
}

}  // namespace

Result<int> uai_command(const Call& call) {
  Session& session = call.session;
  const std::vector<std::string>& words = session.line().words;
  TRY_ASSIGN(const Way* way, way_of(words));
  const std::string_view what = way->name;
  if (what == "bill") return print_bill(session);
  if (what == "list") return print_list(session, call.stop);
  if (what == "stop") return stop_job(session, words[1]);
  TRY_ASSIGN(const Run run, run_of(session, words[1]));
  TRY_ASSIGN(const std::unique_ptr<UaiConsole> console, console_of(session, run));
  const std::string name = shown_run(session, run);
  if (what == "rename") {
    TRY(console->rename(run, words[2]));
    write_stderr(cat(name, " is called ", quoted(words[2]), " at UAI-Train\n"));
  } else if (what == "memo") {
    TRY(console->remark(run, words[2]));
    write_stderr(cat(
        name, words[2].empty() ? " has no memo any more" : cat(" has the memo ", quoted(words[2])), "\n"));
  } else {
    if (!is_over(run.status))
      return fail(user_error(cat(name, " is not over: ", status_text(run)),
                             cat("`trainmake cancel ", run.id, "` ends it")));
    TRY(console->remove(run, cat(moment_text(session.host().clock.now_ns()), " UTC")));
    write_stderr(cat(name, " is off UAI-Train's list; what it left stays\n"));
  }
  return 0;
}

}  // namespace trainmake
