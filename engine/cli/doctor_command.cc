// `doctor`: what this machine has and lacks, each tried out as a run would use it. Needs no workspace, and
// leaves nothing behind.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "engine/base/child.h"
#include "engine/base/disk_space.h"
#include "engine/base/git.h"
#include "engine/base/resource_limits.h"
#include "engine/base/temporary_folder.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/container/runtime.h"
#include "lua/load.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kLittleRoom = std::uint64_t{100} << 20U;

enum class Health : std::uint8_t {
  kOk,
  kMissing,
  kBroken
};  // without what is missing, something else still works

struct Finding {
  std::string check;
  Health health = Health::kOk;
  std::string detail;
};

std::string told(const Error& error) {
  return cat(error.message, error.hint.empty() ? "" : ". ", error.hint);
}

// Of what is tried out.
std::string scratch_path(const Environment& environment) {
  return path_join(environment.get("TMPDIR").value_or("/tmp"), cat("trainmake-doctor-", process_id()));
}

class Doctor {
 public:
  Doctor(const CommandLine& line, const Environment& environment)
      : line_(line),
        host_{real_file_system(), real_processes(), real_http(), real_clock(), environment},
        scratch_(host_.files, scratch_path(environment)) {}

  std::vector<Finding> look() {
    findings_.push_back({"trainmake", Health::kOk, TRAINMAKE_VERSION});
    look_at_workspace();
    look_at_git();
    look_at_http();
    look_at_python();
    look_at_views();
    look_at_containers();
    look_at_limits();
    look_at_terminal();
    return std::move(findings_);
  }

 private:
  void add(std::string check, Health health, std::string detail) {
    findings_.push_back({std::move(check), health, std::move(detail)});
  }

  void look_at_workspace() {
    const std::string folder =
        line_.value("--directory") ? absolute_path(*line_.value("--directory")) : current_folder();
    const Result<Position> position = find_workspace(host_, folder, line_.value("--cache-dir").value_or(""));
    if (!position)
      return add("workspace", Health::kOk, "none here; `trainmake new NAME` makes a project to begin with");
    const Workspace& workspace = position->workspace;
    const Space space = load_space(host_, workspace.root);
    if (space.errors.empty())
      add("workspace", Health::kOk, workspace.root);
    else
      add("workspace", Health::kBroken,
          cat(space.errors.front().where.text(), ": ", told(space.errors.front())));
    look_at_cache(workspace);
    look_at_state(workspace);
  }

  // The nearest folder there is: what is missing below it would be made.
  std::string folder_there(std::string path) {
    for (;;) {
      const Result<Stat> stat = host_.files.look(path, Links::kFollow);
      const std::string_view above = path_folder(path);
      if (!stat || stat->exists() || above.empty() || above == path) return path;
      path = std::string(above);
    }
  }

  void look_at_cache(const Workspace& workspace) {
    const std::string there = folder_there(workspace.cache);
    const bool is_there = there == workspace.cache;
    const std::string probe = path_join(there, cat(is_there ? "" : ".trainmake-", "doctor-", process_id()));
    const Result<void> written = write_file(host_.files, probe, "");
    (void)host_.files.remove(probe);
    if (!written) {
      return add("cache", Health::kBroken,
                 cat(is_there ? "" : cat(workspace.cache, " cannot be made: "), told(written.error())));
    }
    const std::optional<std::uint64_t> room = free_bytes(there);
    const std::string detail = cat(workspace.cache, is_there ? "" : ", not there yet",
                                   room ? cat(", ", human_bytes(*room), " free") : std::string());
    add("cache", room && *room < kLittleRoom ? Health::kBroken : Health::kOk, detail);
  }

  void look_at_state(const Workspace& workspace) {
    std::uint64_t records = 0;
    const auto read = [&]() -> Result<std::uint64_t> {
      TRY_ASSIGN(const std::unique_ptr<State> state, State::open(workspace.cache, State::Access::kLook));
      TRY(state->each_record([&](const Record&, bool) { ++records; }));
      TRY_ASSIGN(const std::vector<Run> runs, state->all());
      return runs.size();
    };
    const Result<std::uint64_t> runs = read();
    if (!runs) return add("state", Health::kBroken, told(runs.error()));
    add("state", Health::kOk,
        cat("schema ", State::kSchemaVersion, ", ", plural(records, "result"), ", ", plural(*runs, "run")));
  }

  // libgit2 is opened for a folder that may be a repository.
  void look_at_git() {
    if (const Result<std::string> folder = made("git/.git")) {
      const Result<std::optional<GitState>> state = git_state(std::string(path_folder(*folder)));
      if (!state)
        return add("git", Health::kMissing,
                   cat(told(state.error()), "; projects in git repositories need it"));
    }
    add("git", Health::kOk, "libgit2 can be loaded");
  }

  // Nobody needs to answer: what cannot be loaded is not the remote's fault.
  void look_at_http() {
    const Result<HttpResponse> response = host_.http.send({"GET", "http://127.0.0.1:9/", {}, ""}, {});
    if (!response && response.error().blame != Blame::kRemote) {
      return add("http", Health::kMissing,
                 cat(told(response.error()), "; stores, registries and platforms elsewhere need it"));
    }
    add("http", Health::kOk, "libcurl can be loaded");
  }

  void look_at_python() {
    const Result<ProcessResult> ran =
        host_.processes.run({{"python3", "--version"}, host_.environment.variables, ""}, {});
    if (!ran || ran->exit_code != 0)
      return add("python3", Health::kMissing, "not in PATH; local jobs whose `main` ends in `.py` need it");
    add("python3", Health::kOk, printable(trim(cat(ran->output, ran->errors))));
  }

  // As the local platform shows a job its data. Without mounts the view is a link, and a job could write
  // through it.
  void look_at_views() {
    const Result<std::string> folder = made("data");
    const Result<std::string> view = made("view");
    if (!folder || !view)
      return add("data views", Health::kMissing, "cannot be tried: there is no place for temporary files");
    Result<Child> child =
        Child::start({{"/bin/sh", "-c", cat("test ! -L \"$1\" && ! (: > \"$1/x\") 2>/dev/null"), "sh", *view},
                      {},
                      "/",
                      {{*folder, *view}}});
    bool is_read_only = false;
    if (child) {
      std::string output;
      while (child->read(output, std::chrono::milliseconds(1000)).value_or(false)) {
      }
      std::optional<ChildEnd> end = child->ended();
      while (!end && !host_.clock.wait(std::chrono::milliseconds(5), {})) end = child->ended();
      is_read_only = end && end->exit_code == 0 && end->signal == 0;
    }
    if (is_read_only) return add("data views", Health::kOk, "local jobs see their data read-only");
    add("data views", Health::kMissing,
        "the kernel allows no mounts here (user namespaces are off); local jobs see their data through "
        "links");
  }

  // As steps of images are run: with the first runtime that works.
  void look_at_containers() {
    const Result<std::string> folder = made("containers");
    const Result<RuntimeSearch> search = folder
                                             ? search_runtime(host_, *folder, Tried::kAll, {.for_jobs = true})
                                             : Result<RuntimeSearch>(fail(folder.error()));
    if (!search) return add("containers", Health::kMissing, cat("cannot be tried: ", told(search.error())));
    std::string others;
    for (const RuntimeSearch::Other& other : search->others)
      others += cat(others.empty() ? "" : "; ", other.name, " ", other.why_not);
    if (!search->found)
      return add("containers", Health::kMissing, cat(others, "; `run` steps of images need one of them"));
    add("containers", Health::kOk,
        cat(name_of(search->found->kind), " works: ", search->found->program,
            others.empty() ? "" : cat(" (", others, ")")));
  }

  // As the local platform holds jobs to `memory` and `cpus`.
  void look_at_limits() {
    constexpr ResourceLimits kMuch{std::uint64_t{1} << 40U, 1};
    const LimitedResources limited(host_.files, kMuch, "doctor");
    const std::string detail = cat("local jobs are held to their memory by ", limited.memory_by(),
                                   ", to their cpus by ", limited.cpus_by());
    add("limits", Health::kOk, detail);
  }

  void look_at_terminal() {
    const std::string name = host_.environment.get("TERM").value_or("");
    const bool is_live = ::isatty(STDERR_FILENO) != 0 && !name.empty() && name != "dumb";
    add("terminal", Health::kOk,
        is_live ? cat(printable(name), ": runs are shown live") : "none: runs are told in plain lines");
  }

  Result<std::string> made(const char* folder) const {
    std::string path = scratch_.path(folder);
    TRY(host_.files.make_folder(path));
    return path;
  }

  const CommandLine& line_;
  Host host_;
  TemporaryFolder scratch_;
  std::vector<Finding> findings_;
};

std::string_view word_of(Health health) {
  constexpr std::string_view kWords[] = {"ok", "missing", "broken"};
  return kWords[static_cast<std::size_t>(health)];
}

std::string padded(std::string_view text, std::size_t width) {
  return cat(text, std::string(width - std::min(width, text.size()), ' '));
}

}  // namespace

Result<int> doctor_command(const CommandLine& line, const Environment& environment) {
  bool is_broken = false;
  for (const Finding& finding : Doctor(line, environment).look()) {
    is_broken |= finding.health == Health::kBroken;
    if (line.has("--json")) {
      const nlohmann::ordered_json json = {{"check", finding.check},
                                           {"ok", finding.health == Health::kOk},
                                           {"detail", printable(finding.detail)}};
      write_stdout(json.dump() + "\n");
    } else {
      write_stdout(cat(padded(finding.check, 12), padded(word_of(finding.health), 9),
                       printable(finding.detail), "\n"));
    }
  }
  return is_broken ? 1 : 0;
}

}  // namespace trainmake
