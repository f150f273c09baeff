#include "rules/job/platforms/slurm/slurm_options.h"

#include <algorithm>
#include <array>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// Options that say what a job is, how it is found again, or how many nodes it has.
constexpr std::array kOurs = {"array",           "chdir",       "comment",      "cpus-per-task", "error",
                              "export",          "export-file", "get-user-env", "help",          "input",
                              "job-name",        "mem",         "nodes",        "no-requeue",    "ntasks",
                              "ntasks-per-node", "open-mode",   "output",       "parsable",      "requeue",
                              "test-only",       "wait",        "wrap"};
// Those that give a job to a cluster on which it is not looked for.
constexpr std::array kOfOtherClusters = {"M", "cluster-constraint", "clusters"};
// Those that have an attribute of their own.
constexpr std::array kAttributes = {"account", "partition", "qos"};

bool is_one_of(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// sbatch takes the beginning of an option's name for the whole.
bool begins_one_of(const auto& names, std::string_view name) {
  return !name.empty() && std::any_of(names.begin(), names.end(),
                                      [&](std::string_view whole) { return whole.starts_with(name); });
}

bool is_option(std::string_view name) {
  return !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// Where a job prints to is a path below it, in which sbatch takes a backslash as the end of all patterns,
// those of arrays among them, and leaves it out. A line of our own notes ends where the path's does.
Result<void> check_shared_dir(const std::string& path) {
  const auto is_wrong = [](char c) { return c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const auto wrong = std::find_if(path.begin(), path.end(), is_wrong);
  if (wrong == path.end()) return {};
  return fail(
      user_error(cat("`shared_dir` ", quoted(printable(path)), " holds a ",
                     *wrong == '\\' ? "backslash, which sbatch leaves out of paths" : "control character"),
                 "Name another folder, or a link to this one"));
}

}  // namespace

std::vector<Error> wrong_slurm_extra(const Value& extra) {
  std::vector<Error> errors;
  for (const auto& [name, value] : extra.table()->fields) {
    Error error;
    if (is_one_of(kAttributes, name)) {
      error = user_error(cat(quoted(name), " is an attribute of the platform, not of its `extra`"),
                         "Write it beside `type`");
    } else if (begins_one_of(kOfOtherClusters, name)) {
      error = user_error(cat("`extra` may not hold ", quoted(name), ": jobs are looked for on one cluster ",
                             "alone, that of `SLURM_CONF`, and one that another has would be started twice"),
                         "Run trainmake with the other cluster's `SLURM_CONF`, on a machine that has one");
    } else if (begins_one_of(kOurs, name)) {
      error = user_error(cat("`extra` may not hold ", quoted(name), ": trainmake sets it itself"),
                         "`trainmake help slurm` tells what of a job becomes which option");
    } else if (!is_option(name)) {
      error = user_error(cat(quoted(name), " is no option of sbatch"),
                         "Write its long name without dashes, as `exclude` or `[\"mail-type\"]`");
    } else {
      continue;
    }
    errors.push_back(std::move(error).at({"", value.line}));
  }
  return errors;
}

const std::string* extra_of(const SlurmOptions& options, std::string_view option) {
  const auto found = std::find_if(options.extra.begin(), options.extra.end(),
                                  [&](const auto& each) { return option.starts_with(each.first); });
  return found == options.extra.end() ? nullptr : &found->second;
}

Result<std::string> constraint_of(const SlurmOptions& options, const Table& resources) {
  const Value* said = resources.find("instance");
  const std::string instance = said != nullptr && said->string() != nullptr ? *said->string() : "";
  const std::string* more = extra_of(options, "constraint");
  if (more == nullptr || instance.empty()) return more == nullptr ? instance : *more;
  for (const std::string& each : {instance, *more}) {
    if (each.find_first_of("|[]()*,!") == each.npos) continue;
    return fail(user_error(
        cat("`resources.instance` is ", quoted(instance), ", and `extra.constraint` of the ", "platform ",
            quoted(*more), ": only names with `&` in between can be asked for ", "together"),
        "Write in one of them all that Slurm is to be asked for, and leave the other out"));
  }
  return cat(instance, "&", *more);
}

Result<SlurmOptions> slurm_options_of(const Service& service, const Workspace& workspace) {
  SlurmOptions options;
  const std::string shared = service.text_or("shared_dir", "");
  if (shared.empty()) {
    return fail(
        user_error(cat("Platform ", quoted(service.name), " does not say where its nodes find a job's files"),
                   "Give it `shared_dir = \"/path\"`: a folder that this machine and all nodes see there")
            .at(service.where));
  }
  options.shared_dir = path_join(workspace.root, shared);
  if (auto fits = check_shared_dir(options.shared_dir); !fits)
    return fail(std::move(fits).error().at(service.where));
  options.partition = service.text_or("partition", "");
  options.account = service.text_or("account", "");
  options.qos = service.text_or("qos", "");
  options.gres = service.text_or("gres", "gpu");
  options.container = service.says_yes("container");
  options.network = service.says_yes("network");
  options.runtime = service.text_or("runtime", "");
  if (const std::string* cdi = service.text("cdi")) options.cdi = path_join(workspace.root, *cdi);
  options.mpi = service.text_or("mpi", "");
  const Value* extra = service.attributes.find("extra");
  if (extra == nullptr || extra->table() == nullptr) return options;
  for (const auto& [name, value] : extra->table()->fields) {
    const bool* boolean = value.boolean();
    if (boolean != nullptr && !*boolean) continue;
    options.extra.emplace_back(name, boolean != nullptr ? "" : scalar_text(value));
  }
  return options;
}

}  // namespace trainmake
