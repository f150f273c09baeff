#include "rules/job/platforms/slurm/batch_script.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/file_system.h"
#include "engine/base/shell_words.h"
#include "engine/base/text.h"
#include "engine/container/container.h"
#include "rules/job/checkpoint.h"
#include "rules/job/contract_layout.h"
#include "rules/job/contracts.h"
#include "rules/job/platforms/slurm/hide_on_node.h"
#include "rules/job/platforms/slurm/run_on_node.h"
#include "rules/job/platforms/slurm/shared_files.h"
#include "rules/job/platforms/slurm/slurm_answers.h"
#include "rules/job/platforms/slurm/slurm_limits.h"
#include "rules/job/platforms/slurm/task_script.h"
#include "rules/job/sizes.h"

namespace trainmake {
namespace {

// On the nodes, whatever it is here. `env = { PATH = ... }` of a job is another.
constexpr std::string_view kPathName = "PATH";
constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A shell sets these by itself; the job sees them only when it says so.
constexpr std::array kOfShell = {"OLDPWD", "PWD", "SHLVL", "_"};

// The script, but for what differs from job to job.
constexpr const char* kClaim = R"sh(unset SLURM_EXPORT_ENV SLURM_GET_USER_ENV
export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}"

# Of several jobs of one run the first one goes on. It begins anew when Slurm says that it starts it again, unless the
# command had come to its end.
me=$SLURM_JOB_ID
[ -z "$SLURM_ARRAY_TASK_ID" ] || me=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
ln -s "$me" owner 2>/dev/null || [ "$(readlink owner)" = "$me" ] || exit 0
start=${SLURM_RESTART_COUNT:-0}
mkdir "start-$start" 2>/dev/null || exit 0
{ cat exit.json; readlink ended; } 2>/dev/null | grep -q -e '"asked":false' -e '^[0-9]* false ' && exit 0
# Where no room is left for a file there may be some for a link; what cannot be told at all is tried for five minutes.
tell_end() { # with the code $1
  printf '{"exit_code":%d,"process":"%s","asked":%s,"started_ns":%s,"ended_ns":%s}\n' "$1" "$process" "$asked" "$started" "$ended" >exit.new
  if grep -q ended_ns exit.new && mv exit.new exit.json; then return 0; fi
  ln -s "$1 $asked $started $ended $process" ended
}
# Slurm may have lost sight of a node, and have started the job again, while this one goes on there.
is_superseded() {
  for one in start-*; do
    [ "${one#start-}" -le "$start" ] || return 0
  done
  return 1
}
leave() {
  trap '' TERM
  is_superseded && exit "$1"
  ended=$(date +%s%N) tries=60
  until tell_end "$1" 2>/dev/null || [ "$tries" -eq 0 ]; do
    tries=$((tries - 1))
    sleep 5
  done
  exit "$1"
}
[ "$start" -eq 0 ] || sleep 10 # an earlier one sees this one, and ends
asked=false child= process=
started=$(date +%s%N)
echo "$started" >started
for old in code output home timed-out done failed words changed exit.json; do
  [ ! -e "$old" ] || rm -rf "$old"
done
[ ! -h ended ] || rm -f ended
)sh";
constexpr const char* kShare = R"sh(
# What Slurm tells of the job's share; all else is said in `command`. That it is one of an array changes nothing for it.
set --
for name in $(awk 'BEGIN { for (name in ENVIRON) print name }' </dev/null); do
  case $name in
    SLURM_ARRAY_* | SLURM_*[!A-Z0-9_]*) continue ;;
    SLURM_* | CUDA_VISIBLE_DEVICES | ROCR_VISIBLE_DEVICES | ZE_AFFINITY_MASK) ;;
    *) continue ;;
  esac
  eval "value=\$$name"
  set -- "$@" "$name=$value"
done
)sh";
// Where a container may keep what it changes, as long as it lives.
constexpr const char* kDiskOfNode = R"sh(set -- "$@" "TMPDIR=${TMPDIR:-/tmp}"
)sh";
constexpr const char* kTrap = R"sh(
trap 'asked=true; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
)sh";
constexpr const char* kBegin = R"sh(env -i "$@" $how </dev/null &
)sh";
// Srun tells of each line whose it is, by its rank; what it says itself begins with nothing of the kind.
constexpr const char* kBeginProcesses = R"sh(mkfifo words || leave 1
(trap '' TERM; exec sed -u -f names <words) &
namer=$!
env -i "$@" $how </dev/null >words 2>&1 &
)sh";
constexpr const char* kLookOut = R"sh(child=$!
(
  trap '' TERM
  trap 'kill -KILL "$nap"; wait "$nap"; exit' USR1
  until is_superseded; do
    sleep 5 &
    nap=$!
    wait "$nap"
  done
  kill -KILL 0
) </dev/null >/dev/null 2>&1 &
lookout=$!
)sh";
constexpr const char* kEnd = R"sh({
  wait "$child"
  code=$?
  while kill -0 "$child"; do # a signal ended the waiting alone
    wait "$child"
    code=$?
  done
} 2>/dev/null
{ kill -USR1 "$lookout"; wait "$lookout"; } 2>/dev/null
[ -z "$watchdog" ] || kill -KILL "$watchdog" 2>/dev/null
)sh";
// Srun tells the highest code, which may be that of one that was ended because another failed.
constexpr const char* kEndOfProcesses = R"sh(while kill -0 "$namer" 2>/dev/null; do wait "$namer"; done
if [ "$code" -ne 0 ] && first=$(readlink failed/first); then
  code=${first%% *} process=${first#* }
  why="exit code $code"
  [ "$code" -le 128 ] || why="killed by signal $((code - 128))"
  echo "[trainmake] $process failed: $why; the others are ended"
fi
)sh";

// Made when the run was handed over, which may be days ago. Once the command has begun, it is the job's;
// before that, what is not all of what it is to go on from is nothing to go on from for others, too.
constexpr const char* kCheckpointIsGone = R"sh(if [ ! -d "$checkpoint" ]; then
  echo "Not begun: the checkpoint folder of this run, $checkpoint, is gone; trying again places it anew" >&2
  leave 1
fi
)sh";
constexpr const char* kCheckpointIsNotWhole = R"sh(is_spoiled() { # as $1 says
  echo "Not begun: of the checkpoint of run $from $1; trying again places it anew" >&2
  rm -rf "$checkpoint.spoiled" && mv "$checkpoint" "$checkpoint.spoiled"
  leave 1
}
if [ ! -e begun ]; then
  there=$(find "$checkpoint" -type f -exec stat -c %s {} + | awk '{ bytes += $1 } END { printf "%d files, %.0f bytes", NR, bytes }')
  [ "$there" = "$whole" ] || is_spoiled "there are $there in $checkpoint, and not $whole"
  if command -v sha256sum >/dev/null; then
    # As many at once as there are processors for it.
    parts=$(nproc 2>/dev/null) || parts=1
    [ "$parts" -le 16 ] || parts=16
    part=0
    while [ "$part" -lt "$parts" ]; do
      awk -v parts="$parts" -v part="$part" 'NR % parts == part' sums | (cd "$checkpoint" && LC_ALL=C sha256sum -c - 2>/dev/null) | grep -v ': OK$' &
      part=$((part + 1))
    done >changed
    wait
    [ ! -s changed ] || is_spoiled "$(sed 's/: FAILED.*//; q' changed) in $checkpoint is not what was placed there"
  else
    echo "There is no sha256sum on this node: of the checkpoint of run $from, files are counted and no more" >&2
  fi
fi
)sh";
// Where the node shows no folder elsewhere, what a checkpoint says of that place leads to nothing.
constexpr const char* kCommand = "how='/bin/sh ./command'\n";
constexpr const char* kCommandSeen = R"sh(if /bin/sh seen/view true 2>/dev/null; then
  how=$seen
elif [ ! -e begun ]; then
  named=$(find "$checkpoint" -type f -size -2048 -exec grep -lF "$at/" {} + | head -n 1)
  [ -z "$named" ] || echo "In its checkpoint '${named#"$checkpoint/"}' names $at, where this node can show nothing: 'unshare' makes no mount namespace on it. By that path the job finds nothing. Let it save paths relative to its checkpoint folder, or run in a container" >&2
fi
)sh";
constexpr const char* kView = R"sh(if [ "$(id -u)" -eq 0 ]; then
  exec unshare --mount /bin/sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$real" "$at" "$@"
fi
# Only root may mount; then it is again who it is.
exec unshare --user --map-root-user --mount /bin/sh -c 'mount --bind "$1" "$2" && user=$3 group=$4 && shift 4 &&
  exec unshare --user "--map-user=$user" "--map-group=$group" "$@"' sh "$real" "$at" "$(id -u)" "$(id -g)" "$@"
)sh";

std::string check_checkpoint(const BatchJob& job) {
  std::string text = cat("checkpoint=", shell_line(job.folders.checkpoint), "\n", kCheckpointIsGone);
  if (job.spec.resumed && job.spec.resumed->files) {
    std::uint64_t count = 0;
    for (const ListedFile& file : *job.spec.resumed->files)
      count += file.link_target.empty() && !is_folder(file.key) ? 1 : 0;
    text += cat("from=", job.spec.resumed->run, " whole='", count, " files, ", bytes_resumed(job.spec),
                " bytes'\n", kCheckpointIsNotWhole);
  }
  text += kCommand;
  if (is_to_be_seen(job)) {
    const bool has_processes = task_layout(job.spec).is_started_by_srun;  // each of which sees it then
    text += cat("at=", shell_line(checkpoint_seen_folder(job.options.shared_dir)), " seen='",
                has_processes ? "" : "/bin/sh seen/view ", "/bin/sh seen/command'\n", kCommandSeen);
  }
  return text + ": >begun || leave 1\n";
}

// `%` is the begin of a pattern in file names.
std::string file_pattern(std::string_view path) {
  std::string pattern;
  for (const char c : path) pattern += c == '%' ? "%%" : std::string(1, c);
  return pattern;
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
  words.add("ntasks-per-node", cat(task_layout(spec).per_node));
  if (const std::int64_t cpus = cpus_of_task(spec); cpus > 0) words.add("cpus-per-task", cat(cpus));
  for (const auto& [name, option] : {std::pair("memory", "mem"), std::pair("disk", "tmp")}) {
    TRY_ASSIGN(const std::uint64_t size, mebibytes_said(spec.resources, name));
    if (size > 0) words.add(option, cat(size, "M"));
  }
  TRY_ASSIGN(const std::string constraint, constraint_of(job.options, spec.resources));
  words.add("constraint", constraint);
  return {};
}

// A minute more than the job gives itself, which is to end it, as far as its partition gives that.
// What it goes on from is read before its time begins.
std::int64_t minutes_asked_for(const BatchJob& job) {
  constexpr std::uint64_t kReadInAMinute = 12ULL << 30U;
  const std::int64_t minutes =
      minutes_of(job.spec.timeout_s) + static_cast<std::int64_t>(bytes_resumed(job.spec) / kReadInAMinute);
  return std::min(minutes + 1, std::max(minutes, job.most_minutes.value_or(minutes + 1)));
}

void add_extra(const BatchJob& job, Words& words) {
  std::vector<std::string> gres;
  if (const std::int64_t gpus = count_of(job.spec.resources, "gpus", 0); gpus > 0)
    gres.push_back(cat(job.options.gres, ":", gpus));
  if (job.spec.timeout_s > 0) words.add("time", cat(minutes_asked_for(job)));
  for (const auto& [name, value] : job.options.extra) {
    if (name == "gres") {
      gres.push_back(value);
    } else if (value.empty()) {
      words.add(cat("--", name));
    } else if (&value == extra_of(job.options, "constraint")) {
      continue;  // with what the job says
    } else if (name != "time" || job.spec.timeout_s == 0) {
      words.add(name, value);
    }
  }
  words.add("gres", join(gres, ","));
}

struct Identity {
  std::string name, comment, folder, log, elements;
  std::string environment;  // what of ours the script gets
};

// All that sbatch is given, which is next to nothing (slurm_commands.cc). Where it is told to export less,
// Slurm starts a login shell of the user on the node, which takes longer than all else; but by what that says
// srun is found.
std::string environment_for(bool uses_srun) { return uses_srun ? "NONE" : "ALL"; }

std::vector<std::string> sbatch_words(const Identity& what, const std::vector<std::string>& options,
                                      const std::string& script) {
  Words words;
  words.add("sbatch");
  words.add("--parsable");
  words.add("job-name", what.name);
  words.add("comment", what.comment);
  words.add("array", what.elements);
  words.add("export", what.environment);
  words.add("chdir", what.folder);
  words.add("input", "/dev/null");
  words.add("output", what.log);
  words.add("open-mode", "append");
  for (const std::string& option : options) words.add(option);
  words.add(script);
  return words.take();
}

ContractLayout layout_of(const BatchJob& job) {
  return layout_below(job.contract, job.spec, job.folders, job.run.places());
}

bool is_in_container(const BatchJob& job) { return job.options.container; }

// Those that it does not share have no use for each other's names.
bool has_network(const BatchJob& job) {
  return job.options.network || task_layout(job.spec).is_started_by_srun;
}

ContractLayout outside_of_container(const BatchJob& job) {
  ContainerLayout inside = container_layout(job);
  return {std::move(inside.folders), {}, std::move(inside.files)};
}

// Folders of ours that others are mounted on in a container.
std::string mount_points(const BatchJob& job) {
  std::string text;
  if (!is_in_container(job)) return text;
  for (const std::string& folder : container_layout(job).points)
    text += cat("mkdir -p ", shell_line(folder), " || leave 1\n");
  return text;
}

// What the contract wants beside the folders, once they are there.
std::string places(const ContractLayout& layout) {
  if (layout.links.empty() && layout.files.empty()) return {};
  std::string text = "rm -rf places\n";
  const auto make = [&](const std::string& path, const std::string& how) {
    text +=
        cat("mkdir -p ", shell_line(path_folder(path)), " && ", how, " ", shell_line(path), " || leave 1\n");
  };
  for (const ContractLayout::Link& link : layout.links) make(link.at, cat("ln -s ", shell_line(link.to)));
  for (const auto& [path, content] : layout.files) make(path, cat("printf %s ", shell_line(content), " >"));
  return text;
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

}  // namespace

ContainerLayout container_layout(const BatchJob& job) {
  return layout_in_container(job.contract, job.spec, job.folders, job.run.places());
}

NodeOrder node_order(const BatchJob& job, const Rank& rank) {
  CHECK(job.spec.root.has_value());
  const ImageRoot& root = *job.spec.root;
  NodeOrder order;
  order.container = {{}, root.folder, root.layers, root.user, has_network(job), container_layout(job).mounts};
  if (!job.spec.data.empty())
    order.container.mounts.push_back({content_folder(job.options.shared_dir), kContentInContainer});
  if (rank.has_gpus && count_of(job.spec.resources, "gpus", 0) > 0)
    order.container.gpus = ContainerGpus{job.options.cdi};
  order.container.wanted = job.options.runtime;
  order.job = rendered_for(job, rank);
  order.secrets = job.spec.secrets;
  return order;
}

std::string program_words(const BatchJob& job, const Rank& rank) {
  std::string text = "env";
  for (const char* name : kOfShell) text += cat(" -u ", name);
  if (is_in_container(job)) {
    return cat(text, " ", shell_line(job.program), " ", kOnNodeFlag, " ",
               shell_line(rank.has_gpus ? job.run.order() : job.run.server_order()));
  }
  const RenderedJob rendered = rendered_for(job, rank);
  for (const auto& [name, value] : rendered.environment) {
    const bool is_own_path = name == kPathName && value != kPath;  // of the job, and not of what starts it
    if (!is_exported(name) || is_own_path) text += cat(" ", shell_line(cat(name, "=", value)));
  }
  if (needs_program(job.options, job.spec))
    text += cat(" ", shell_line(job.program), " ", kHidingFlag, " ", join(job.spec.secrets, ","));
  text += cat(" ", shell_line(rendered.arguments));
  return text;
}

bool needs_program(const SlurmOptions& options, const JobSpec& spec) {
  return options.container || !spec.secrets.empty();
}

std::string in_its_folder(const BatchJob& job, const Rank& rank) {
  if (is_in_container(job)) return {};
  return cat("cd ", shell_line(rendered_for(job, rank).folder), " || exit 1\n");
}

std::string last_step(const BatchJob& job) {
  return cat(in_its_folder(job, {}), "exec ", program_words(job, {}), "\n");
}

RenderedJob rendered_for(const BatchJob& job, const Rank& rank) {
  if (is_in_container(job)) {
    return render_in_container(job.contract, job.spec, container_layout(job).folders, kContainerPath, rank);
  }
  return render(job.contract, job.spec, layout_of(job).folders, kPath, rank);
}

std::int64_t cpus_of_task(const JobSpec& spec) {
  const std::int64_t per_node = task_layout(spec).per_node;
  return (count_of(spec.resources, "cpus", 0) + per_node - 1) / per_node;
}

std::int64_t nodes_of(const JobSpec& spec) { return count_of(spec.resources, "nodes", 1); }

bool is_shell_variable(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && is_letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  });
}

Result<std::vector<std::string>> render_options(const BatchJob& job) {
  if (nodes_of(job.spec) > 1 && names_hosts(job.contract)) {
    return fail(user_error(cat("Contract ", quoted(job.contract.version),
                               " tells a job the names of its hosts, ", "which Slurm chooses later"),
                           "Ask for one node, or choose another contract"));
  }
  Words words;
  // Its secrets are gone once they were read.
  words.add(job.spec.secrets.empty() ? "--requeue" : "--no-requeue");
  words.add("partition", job.options.partition);
  words.add("account", job.options.account);
  words.add("qos", job.options.qos);
  TRY(add_resources(job, words));
  add_extra(job, words);
  return words.take();
}

std::vector<std::string> render_sbatch(const BatchJob& job, const std::vector<std::string>& options) {
  return sbatch_words({job.spec.key, job.comment, job.run.top, file_pattern(job.run.log()), "",
                       environment_for(task_layout(job.spec).is_started_by_srun)},
                      options, job.run.script());
}

std::vector<std::string> render_sbatch(const BatchArray& array, const std::vector<std::string>& options) {
  return sbatch_words(
      {array.name, array.comment, array.folder, cat(file_pattern(array.folder), "/%a/log.txt"),
       ranges_of(array.elements), environment_for(array.uses_srun)},
      options, array_script(array.folder));
}

std::string array_script(const std::string& folder) { return folder + "/script"; }

std::string render_array_script(const std::string& folder) {
  return cat("#!/bin/sh\n# Runs of trainmake that were submitted together: each has a script of its own.\n",
             "exec /bin/sh ", shell_line(folder), "/\"$SLURM_ARRAY_TASK_ID\"/script\n");
}

std::string render_script(const BatchJob& job) {
  // What it is a copy of may not be written to.
  const std::string code =
      job.code.empty() ? "mkdir code" : cat("cp -R ", shell_line(job.code), " code && chmod -R u+w code");
  const bool has_processes = task_layout(job.spec).is_started_by_srun;
  return cat("#!/bin/sh\n# ", job.spec.key,
             ", a run of trainmake; `trainmake help slurm` tells what lies here.\ncd ",
             shell_line(job.run.top), " || exit 1\n", kClaim, "mkdir -p output home log ",
             has_processes ? "done failed " : "", "|| leave 1\n", check_checkpoint(job), code,
             " || leave 1\n", mount_points(job),
             places(is_in_container(job) ? outside_of_container(job) : layout_of(job)), kShare,
             is_in_container(job) ? kDiskOfNode : "", render_addresses(job), kTrap,
             has_processes ? kBeginProcesses : kBegin, kLookOut, watchdog(job.spec.timeout_s), kEnd,
             has_processes ? kEndOfProcesses : "", takes_ports(job.spec) ? "give_ports_back\n" : "",
             "leave \"$code\"\n");
}

std::string render_command(const BatchJob& job) {
  std::string text;
  if (is_in_container(job)) {  // all of its environment is in the order
    text = cat("export PATH=", shell_line(kPath), "\n");
  } else {
    for (const auto& [name, value] : rendered_for(job, {}).environment) {
      if (is_exported(name))
        text += cat("export ", name, "=", shell_line(name == kPathName ? kPath : value), "\n");
    }
  }
  if (!job.spec.secrets.empty()) {
    const std::string secrets = shell_line(job.run.secrets());
    text += cat(". ", secrets, "\nrm -f ", secrets, "\n");
  }
  return text + (task_layout(job.spec).is_started_by_srun ? render_srun(job) : last_step(job));
}

bool is_to_be_seen(const BatchJob& job) {
  return job.spec.resume && !is_in_container(job) && !job.contract.places;
}

BatchJob as_seen(BatchJob job) {
  job.folders.checkpoint = checkpoint_seen_folder(job.options.shared_dir);
  job.folders.params = job.run.seen_params();
  job.is_seen = true;
  return job;
}

std::string render_view(const BatchJob& job) {
  return cat(
      "#!/bin/sh\n# Becomes its words where the run's checkpoint folder lies at the path at which all ",
      "runs see theirs.\nexport PATH=\"${PATH:-", kPath, "}\"\nreal=", shell_line(job.folders.checkpoint),
      " at=", shell_line(checkpoint_seen_folder(job.options.shared_dir)), "\n", kView);
}

// A name with a line end or a backslash in it is escaped, and the line says so by one in front.
std::string render_sums(const Listing& files) {
  std::string text;
  for (const ListedFile& file : files) {
    if (!file.link_target.empty() || is_folder(file.key)) continue;
    std::string name;
    for (const char c : file.key) name += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
    text += cat(name == file.key ? "" : "\\", file.sha256.hex(), "  ./", name, "\n");
  }
  return text;
}

std::string render_secrets(const Secrets& secrets) {
  std::string text;
  for (const auto& [name, value] : secrets) text += cat("export ", name, "=", shell_line(value), "\n");
  return text;
}

}  // namespace trainmake
