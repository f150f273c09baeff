#include "rules/job/platforms/slurm/batch_script.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// On the nodes, whatever it is here. `env = { PATH = ... }` of a job is another.
constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::int64_t kSecondsToEnd = 10;  // between SIGTERM and SIGKILL

// A shell sets these by itself; the job sees them only when it says so.
constexpr std::array kOfShell = {"OLDPWD", "PWD", "SHLVL", "_"};

// The script, but for what differs from job to job.
constexpr const char* kClaim = R"sh(unset SLURM_EXPORT_ENV SLURM_GET_USER_ENV

# Of several jobs of one run the first one goes on. It begins anew when Slurm says that it starts it again, unless the
# command had come to its end.
ln -s "$SLURM_JOB_ID" owner 2>/dev/null
[ "$(readlink owner)" = "$SLURM_JOB_ID" ] || exit 0
mkdir "start-${SLURM_RESTART_COUNT:-0}" 2>/dev/null || exit 0
grep -q '"asked":false' exit.json 2>/dev/null && exit 0
leave() {
  printf '{"exit_code":%d,"asked":%s,"started_ns":%s,"ended_ns":%s}\n' "$1" "$asked" "$started" "$(date +%s%N)" >exit.new
  mv exit.new exit.json
  exit "$1"
}
asked=false child=
started=$(date +%s%N)
echo "$started" >started.new && mv started.new started
rm -rf code output home timed-out exit.json
)sh";
constexpr const char* kShare = R"sh(
# What Slurm tells of the job's share; all else is said in `command`.
set --
for name in $(env | sed -nE 's/^(SLURM_[A-Z0-9_]+|CUDA_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|ZE_AFFINITY_MASK)=.*/\1/p'); do
  eval "value=\$$name"
  set -- "$@" "$name=$value"
done
)sh";
constexpr const char* kAcrossNodes = R"sh(
# Where its processes, one on each node, find each other.
set -- "$@" "SRUN=$(command -v srun)" "MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))"
set -- "$@" "MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"
)sh";
constexpr const char* kBegin = R"sh(
trap 'asked=true; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
env -i "$@" /bin/sh ./command </dev/null &
child=$!
)sh";
constexpr const char* kEnd = R"sh({
  wait "$child"
  code=$?
  while kill -0 "$child"; do # a signal ended the waiting alone
    wait "$child"
    code=$?
  done
} 2>/dev/null
[ -z "$watchdog" ] || kill -KILL "$watchdog" 2>/dev/null
leave "$code"
)sh";

// `%` is the begin of a pattern in file names.
std::string file_pattern(std::string_view path) {
  std::string pattern;
  for (const char c : path) pattern += c == '%' ? "%%" : std::string(1, c);
  return pattern;
}

std::int64_t whole_resource(const JobSpec& spec, std::string_view name, std::int64_t otherwise) {
  const Value* value = spec.resources.find(name);
  if (value == nullptr || !value->is_number()) return otherwise;
  return static_cast<std::int64_t>(std::ceil(*parse_number(scalar_text(*value))));
}

// "64G", "1.5 GiB" or "512MB" as Slurm's whole mebibytes.
Result<std::string> mebibytes_of(std::string_view name, const std::string& text) {
  const std::string_view whole = trim(text);
  const std::size_t digits = std::min(whole.find_first_not_of("0123456789."), whole.size());
  const std::optional<double> number = parse_number(whole.substr(0, digits));
  const std::string_view unit = trim(whole.substr(digits));
  constexpr std::string_view kUnits = "KMGT";
  const std::size_t power = unit.empty() ? 1 : kUnits.find(unit.front());
  const bool is_unit = unit.size() <= 1 || unit.substr(1) == "B" || unit.substr(1) == "iB";
  if (!number || power == kUnits.npos || !is_unit) {
    return fail(user_error(cat("`resources.", name, "` is ", quoted(text), ", which is no size"),
                           "Write it as \"64G\" or \"512M\""));
  }
  const double bytes = *number * std::pow(1024.0, static_cast<double>(power) - 1);
  return cat(std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(bytes))), "M");
}

class Words {
 public:
  void add(std::string_view option, std::string_view value) {
    if (!value.empty()) words_.push_back(cat("--", option, "=", value));
  }
  void add(std::string word) { words_.push_back(std::move(word)); }
  std::vector<std::string> take() { return std::move(words_); }

 private:
  std::vector<std::string> words_;
};

Result<void> add_resources(const BatchJob& job, Words& words) {
  const JobSpec& spec = job.spec;
  words.add("nodes", cat(nodes_of(spec)));
  words.add("ntasks-per-node", "1");
  if (const std::int64_t cpus = whole_resource(spec, "cpus", 0); cpus > 0)
    words.add("cpus-per-task", cat(cpus));
  for (const auto& [name, option] : {std::pair("memory", "mem"), std::pair("disk", "tmp")}) {
    const Value* value = spec.resources.find(name);
    if (value == nullptr || value->string() == nullptr) continue;
    TRY_ASSIGN(const std::string size, mebibytes_of(name, *value->string()));
    words.add(option, size);
  }
  if (const Value* instance = spec.resources.find("instance");
      instance != nullptr && instance->string() != nullptr)
    words.add("constraint", *instance->string());
  return {};
}

void add_extra(const BatchJob& job, Words& words) {
  std::vector<std::string> gres;
  if (const std::int64_t gpus = whole_resource(job.spec, "gpus", 0); gpus > 0)
    gres.push_back(cat(job.options.gres, ":", gpus));
  // A minute more than the job gives itself: Slurm counts in minutes.
  if (job.spec.timeout_s > 0) words.add("time", cat((job.spec.timeout_s + 59) / 60 + 1));
  for (const auto& [name, value] : job.options.extra) {
    if (name == "gres") {
      gres.push_back(value);
    } else if (value.empty()) {
      words.add(cat("--", name));
    } else if (name != "time" || job.spec.timeout_s == 0) {
      words.add(name, value);
    }
  }
  words.add("gres", join(gres, ","));
}

std::string watchdog(std::int64_t timeout_s) {
  if (timeout_s <= 0) return "watchdog=\n";
  return cat("(\n  trap '' TERM\n  sleep ", timeout_s, "\n  echo ", timeout_s,
             " >timed-out\n  kill -TERM 0\n  sleep ", kSecondsToEnd,
             "\n  kill -KILL \"$child\"\n) </dev/null >/dev/null 2>&1 &\nwatchdog=$!\n");
}

bool is_of_shell(std::string_view name) {
  return std::find(kOfShell.begin(), kOfShell.end(), name) != kOfShell.end();
}

bool is_exported(std::string_view name) { return is_shell_variable(name) && !is_of_shell(name); }

// Becomes the program, with what no shell exports.
std::string last_step(const RenderedJob& rendered) {
  std::string text = cat("cd ", shell_quoted(rendered.folder), " || exit 1\nexec env");
  for (const char* name : kOfShell) text += cat(" -u ", name);
  for (const auto& [name, value] : rendered.environment) {
    if (!is_exported(name)) text += cat(" ", shell_quoted(cat(name, "=", value)));
  }
  for (const std::string& argument : rendered.arguments) text += cat(" ", shell_quoted(argument));
  return text + "\n";
}

}  // namespace

std::int64_t nodes_of(const JobSpec& spec) { return whole_resource(spec, "nodes", 1); }

bool is_shell_variable(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && is_letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  });
}

std::string shell_quoted(std::string_view text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'')
      word += "'\\''";
    else
      word += c;
  }
  return word + "'";
}

Result<std::vector<std::string>> render_sbatch(const BatchJob& job) {
  Words words;
  words.add("sbatch");
  words.add("--parsable");
  words.add("job-name", job.spec.key);
  words.add("comment", job.ticket);
  words.add("export", "NONE");
  words.add("chdir", job.run.top);
  words.add("input", "/dev/null");
  words.add("output", file_pattern(job.run.log()));
  words.add("open-mode", "append");
  // Its secrets are gone once they were read.
  words.add(job.spec.secrets.empty() ? "--requeue" : "--no-requeue");
  words.add("partition", job.options.partition);
  words.add("account", job.options.account);
  words.add("qos", job.options.qos);
  TRY(add_resources(job, words));
  add_extra(job, words);
  words.add(job.run.script());
  return words.take();
}

std::string render_script(const BatchJob& job) {
  const std::string code =
      job.code.empty() ? "mkdir code" : cat("cp -R ", shell_quoted(job.code), " code && chmod -R u+w code");
  return cat("#!/bin/sh\n# ", job.spec.key,
             ", a run of trainmake; `trainmake help slurm` tells what lies here.\ncd ",
             shell_quoted(job.run.top), " || exit 1\n", kClaim, "mkdir -p output home log ",
             shell_quoted(job.folders.checkpoint), " || leave 1\n", code, " || leave 1\n", kShare,
             nodes_of(job.spec) > 1 ? kAcrossNodes : "", kBegin, watchdog(job.spec.timeout_s), kEnd);
}

std::string render_command(const BatchJob& job) {
  const RenderedJob rendered = render(job.spec, job.folders, kPath);
  std::string text;
  for (const auto& [name, value] : rendered.environment) {
    if (is_exported(name)) text += cat("export ", name, "=", shell_quoted(value), "\n");
  }
  if (!job.spec.secrets.empty()) {
    const std::string secrets = shell_quoted(job.run.secrets());
    text += cat(". ", secrets, "\nrm -f ", secrets, "\n");
  }
  const std::int64_t nodes = nodes_of(job.spec);
  if (nodes == 1) return text + last_step(rendered);
  const std::int64_t cpus = whole_resource(job.spec, "cpus", 0);
  return cat(text, "exec \"$SRUN\" --nodes=", nodes, " --ntasks=", nodes, " --ntasks-per-node=1",
             cpus > 0 ? cat(" --cpus-per-task=", cpus) : "",
             " --kill-on-bad-exit=1 --label --input=none --export=ALL /bin/sh ", shell_quoted(job.run.task()),
             "\n");
}

std::string render_task(const BatchJob& job) {
  return cat("export RANK=\"$SLURM_PROCID\" LOCAL_RANK=\"$SLURM_LOCALID\" NODE_RANK=\"$SLURM_NODEID\" ",
             "WORLD_SIZE=\"$SLURM_NTASKS\"\nunset SRUN\n", last_step(render(job.spec, job.folders, kPath)));
}

std::string render_secrets(const Secrets& secrets) {
  std::string text;
  for (const auto& [name, value] : secrets) text += cat("export ", name, "=", shell_quoted(value), "\n");
  return text;
}

}  // namespace trainmake
