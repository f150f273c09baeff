#include "rules/job/platforms/slurm/task_script.h"

#include <algorithm>

#include "engine/base/shell_words.h"
#include "engine/base/text.h"
#include "rules/job/platforms/slurm/shared_files.h"
#include "rules/job/process_names.h"

namespace trainmake {
namespace {

// Below those that connections from here take by chance.
constexpr std::int64_t kFirstPort = 20'000, kPorts = 12'768;
// From where neighbouring jobs begin to look, for those that do not see each other's links.
constexpr std::int64_t kPortsApart = 16;

constexpr const char* kHosts = R"sh(
# Where its processes find each other: by the addresses that Slurm finds its nodes at.
hosts=$(scontrol --oneliner show node "$SLURM_JOB_NODELIST" | sed -n 's/.* NodeAddr=\([^ ]*\).*/\1/p' | tr '\n' ' ')
[ -n "$hosts" ] || hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | tr '\n' ' ')
if [ -z "$hosts" ]; then
  echo "Slurm does not tell this node where the others are: 'scontrol show hostnames $SLURM_JOB_NODELIST' says nothing; does scontrol work on it?" >&2
  leave 1
fi
)sh";
constexpr const char* kTakePorts = R"sh(take_port() { # of the host $1, from $port on
  tries=$((last_port - first_port))
  until echo "$1:$port" >>ports && ln -s "$me" "$all_ports/$1:$port" 2>/dev/null; do
    if [ "$tries" -eq 0 ] || [ ! -w "$all_ports" ]; then
      echo "No port of $1 can be taken: no link to it can be made in $all_ports" >&2
      leave 1
    fi
    port=$((port < last_port ? port + 1 : first_port)) tries=$((tries - 1))
  done
}
give_ports_back() {
  [ -e ports ] || return 0
  while read -r address; do
    [ "$(readlink "$all_ports/$address")" != "$me" ] || rm -f "$all_ports/$address"
  done <ports
  rm -f ports
}
give_ports_back
addresses=
while [ "$count" -gt 0 ]; do
  for host in $hosts; do
    [ "$count" -gt 0 ] || break
    take_port "$host"
    addresses=$addresses${addresses:+ }$host:$port
    count=$((count - 1))
  done
done
)sh";

// As many as are looked for by others: the first of them, or those of roles all.
std::string render_ports(const std::string& all_ports, std::int64_t count) {
  const std::int64_t last = kFirstPort + kPorts - 1;
  return cat(
      "\n# Ports that no other job of this shared folder has of the same node: who makes the link has it.\n",
      "all_ports=", shell_line(all_ports), " first_port=", kFirstPort, " last_port=", last, " count=", count,
      "\nport=$((first_port + SLURM_JOB_ID * ", kPortsApart, " % ", kPorts, "))\n", kTakePorts);
}

constexpr const char* kAddresses = R"sh(
# Names begin with tm_, or they would be taken for what the job's own environment says.
tm_addresses() { # of $2 processes from rank $1 on, with $3 in between
  tm_list='' tm_rank=0
  for tm_address in $TRAINMAKE_ADDRESSES; do
    if [ "$tm_rank" -ge "$1" ] && [ "$tm_rank" -lt $(($1 + $2)) ]; then
      tm_list=$tm_list${tm_list:+$3}$tm_address
    fi
    tm_rank=$((tm_rank + 1))
  done
  echo "$tm_list"
}
)sh";

// Says which process this is, in `tm_role` and `tm_index`.
std::string render_role(const Distribution& distribution) {
  const std::int64_t chiefs = distribution.chief.empty() ? 0 : 1;
  const std::int64_t before_workers = distribution.servers + chiefs;
  std::string text = cat("tm_role=worker tm_index=$((SLURM_PROCID - ", before_workers, "))\n");
  if (chiefs > 0)
    text += cat("[ \"$SLURM_PROCID\" -ne ", distribution.servers, " ] || tm_role=", distribution.chief,
                " tm_index=0\n");
  const bool is_dmlc = distribution.kind == Distribution::Kind::kDmlc;
  if (distribution.servers > 0)
    text += cat("[ \"$SLURM_PROCID\" -ge ", distribution.servers, " ] || tm_role=", is_dmlc ? "server" : "ps",
                " tm_index=$SLURM_PROCID\n");
  if (is_dmlc)
    text += cat("[ \"$SLURM_PROCID\" -ne ", distribution.size() - 1, " ] || tm_role=scheduler tm_index=0\n");
  return text;
}

// All find each other by way of the scheduler.
std::string render_dmlc(const Distribution& distribution) {
  std::string text =
      cat("tm_root=$(tm_addresses ", distribution.size() - 1, " 1 '')\nexport DMLC_ROLE=\"$tm_role\" ",
          "DMLC_PS_ROOT_URI=\"${tm_root%:*}\" DMLC_PS_ROOT_PORT=\"${tm_root##*:}\" DMLC_NUM_SERVER=",
          distribution.servers, " DMLC_NUM_WORKER=", distribution.workers, " PS_VERBOSE=1\n");
  if (!distribution.all_hosts.empty())
    text += cat("export ", distribution.all_hosts,
                "=\"$(printf '%s\\n' $TRAINMAKE_ADDRESSES | sed 's/:[^:]*$//' | ",
                "awk '!had[$0]++ { all = all (all == \"\" ? \"\" : \",\") $0 } END { print all }')\"\n");
  return text;
}

std::string render_cluster(const Distribution& distribution) {
  const std::int64_t servers = distribution.servers;
  if (distribution.kind == Distribution::Kind::kDmlc) return render_dmlc(distribution);
  if (distribution.kind == Distribution::Kind::kPsWorker) {
    return cat("set -- \"--ps_hosts=$(tm_addresses 0 ", servers, " ,)\" \"--worker_hosts=$(tm_addresses ",
               servers, " ", distribution.workers,
               " ,)\" \\\n  \"--job_name=$tm_role\" \"--task_index=$tm_index\"\n");
  }
  const std::int64_t chiefs = distribution.chief.empty() ? 0 : 1;
  std::vector<std::string> roles;
  const auto add = [&](const std::string& role, std::int64_t first, std::int64_t count) {
    if (count > 0)
      roles.push_back(cat("\\\"", role, "\\\":[\\\"$(tm_addresses ", first, " ", count, " '\",\"')\\\"]"));
  };
  add(distribution.chief, servers, chiefs);
  add("ps", 0, servers);
  add("worker", servers + chiefs, distribution.workers - chiefs);
  std::sort(roles.begin(), roles.end());
  const char* environment = distribution.chief == "master" ? "\\\"environment\\\":\\\"cloud\\\"," : "";
  return cat("export TF_CONFIG=\"{\\\"cluster\\\":{", join(roles, ","), "},", environment,
             "\\\"task\\\":{\\\"index\\\":$tm_index,\\\"type\\\":\\\"$tm_role\\\"}}\"\n");
}

// The first that fails says so while the others go on: those that are ended because of it fail, too.
std::string render_ends(const BatchJob& job, const std::string& name) {
  return cat("tm_asked=\ntrap 'tm_asked=true' TERM\ntm_end() { # with the code $1\n",
             "  [ \"$1\" -eq 0 ] || [ -n \"$tm_asked\" ] || ln -s \"$1 ", name, "\" ",
             shell_line(job.run.first_failure()), " 2>/dev/null\n  exit \"$1\"\n}\n");
}

constexpr const char* kAwaitServer = R"sh(tm_watcher=$!
{
  wait "$tm_server"
  tm_code=$?
  while kill -0 "$tm_server"; do # a signal ended the waiting alone
    wait "$tm_server"
    tm_code=$?
  done
  kill -KILL "$tm_watcher"
} 2>/dev/null
tm_are_done && exit 0
tm_end "$tm_code"
fi
)sh";

// A server is ended when all others are done; who is tells so by a folder of its own.
std::string render_server(const BatchJob& job, const Distribution& distribution) {
  const Rank server{.has_gpus = false};
  return cat("tm_are_done() { [ \"$(ls ", shell_line(job.run.done()), " | wc -l)\" -ge ",
             distribution.workers, " ]; }\nif [ \"$tm_role\" ",
             distribution.kind == Distribution::Kind::kDmlc ? "!= worker" : "= ps", " ]; then\n",
             in_its_folder(job, server), "export CUDA_VISIBLE_DEVICES=\n", program_words(job, server),
             " \"$@\" &\ntm_server=$!\n(\n",
             "  until tm_are_done; do sleep 1; done\n  kill -TERM \"$tm_server\"\n  sleep ", kSecondsToEnd,
             "\n  kill -KILL \"$tm_server\"\n) </dev/null >/dev/null 2>&1 &\n", kAwaitServer);
}

std::string render_others(const BatchJob& job, bool tell_servers) {
  const std::string tell =
      cat("[ \"$tm_code\" -ne 0 ] || mkdir ", shell_line(job.run.done()), "/\"$SLURM_PROCID\"\n");
  return cat(in_its_folder(job, {}), program_words(job, {}), " \"$@\"\ntm_code=$?\n",
             tell_servers ? tell : "", "tm_end \"$tm_code\"\n");
}

std::optional<Distribution> distribution_of(const JobSpec& spec) {
  return distribution_of(spec.distribution, spec.resources);
}

}  // namespace

TaskLayout task_layout(const JobSpec& spec) {
  TaskLayout layout;
  layout.nodes = layout.tasks = nodes_of(spec);
  layout.is_started_by_srun = layout.nodes > 1;
  const std::optional<Distribution> distribution = distribution_of(spec);
  if (!distribution) return layout;
  layout.tasks = distribution->size();
  layout.per_node = (layout.tasks + layout.nodes - 1) / layout.nodes;
  layout.goes_round = distribution->is_by_role();
  layout.is_started_by_srun = true;
  layout.has_servers = distribution->is_by_role() && distribution->servers > 0;
  return layout;
}

bool takes_ports(const JobSpec& spec) {
  const std::optional<Distribution> distribution = distribution_of(spec);
  const bool is_mpi = distribution && distribution->kind == Distribution::Kind::kMpi;
  return task_layout(spec).is_started_by_srun && !is_mpi;
}

std::string render_addresses(const BatchJob& job) {
  constexpr const char* kSrun = "set -- \"$@\" \"SRUN=$(command -v srun)\"";
  if (!task_layout(job.spec).is_started_by_srun) return {};
  if (!takes_ports(job.spec)) return cat("\n", kSrun, "\n");
  const std::optional<Distribution> distribution = distribution_of(job.spec);
  const bool is_by_role = distribution && distribution->is_by_role();
  const std::string ports =
      render_ports(ports_folder(job.options.shared_dir), is_by_role ? distribution->size() : 1);
  if (is_by_role) return cat(kHosts, ports, kSrun, " \"TRAINMAKE_ADDRESSES=$addresses\"\n");
  const char* master =
      distribution ? "${addresses%:*}" : "$(scontrol show hostnames \"$SLURM_JOB_NODELIST\" | head -n 1)";
  return cat(kHosts, ports, kSrun, " \"MASTER_ADDR=", master, "\" \"MASTER_PORT=$port\"\n");
}

std::string render_srun(const BatchJob& job) {
  const TaskLayout layout = task_layout(job.spec);
  const std::int64_t cpus = cpus_of_task(job.spec);
  const std::optional<Distribution> distribution = distribution_of(job.spec);
  const bool is_mpi = distribution && distribution->kind == Distribution::Kind::kMpi;
  // Of a number that is not the same on all nodes srun says that it passes it over.
  const bool is_even = layout.tasks % layout.nodes == 0;
  return cat(is_even ? "" : "unset SLURM_NTASKS_PER_NODE\n", "exec \"$SRUN\" --nodes=", layout.nodes,
             " --ntasks=", layout.tasks, is_even ? cat(" --ntasks-per-node=", layout.per_node) : "",
             layout.goes_round ? " --distribution=cyclic" : "",
             cpus > 0 ? cat(" --cpus-per-task=", cpus) : "",
             is_mpi && !job.options.mpi.empty() ? cat(" ", shell_line(cat("--mpi=", job.options.mpi))) : "",
             " --kill-on-bad-exit=1 --label --input=none --export=ALL /bin/sh ",
             job.is_seen ? cat(shell_line(job.run.view()), " /bin/sh ", shell_line(job.run.seen_task()))
                         : shell_line(job.run.task()),
             "\n");
}

// By rank, as srun labels lines, with zeros or blanks in front.
std::string render_names(const BatchJob& job) {
  const std::optional<Distribution> distribution = distribution_of(job.spec);
  if (!distribution || !distribution->is_by_role()) return "s/^ *0*\\([0-9][0-9]*\\): /[\\1] /\n";
  std::string text;
  for (const Task& task : tasks_of(*distribution))
    text += cat("s/^ *0*", task.rank, ": /", prefix_of(task.name()), "/\nt\n");
  return text;
}

std::string render_task(const BatchJob& job) {
  const std::optional<Distribution> distribution = distribution_of(job.spec);
  const bool by_rank = !distribution || distribution->kind == Distribution::Kind::kTorchrun;
  if (by_rank) {
    std::string local_size = distribution ? cat(" LOCAL_WORLD_SIZE=", distribution->per_node) : std::string();
    if (distribution && distribution->launched > 0)
      local_size += cat(" WORKER_NUM=", distribution->nodes, " WORKER_GPU_NUM=", distribution->launched);
    return cat("export RANK=\"$SLURM_PROCID\" LOCAL_RANK=\"$SLURM_LOCALID\" NODE_RANK=\"$SLURM_NODEID\" ",
               "WORLD_SIZE=\"$SLURM_NTASKS\"", local_size, "\nunset SRUN\n",
               render_ends(job, "$SLURM_PROCID"), render_others(job, false));
  }
  if (distribution->kind == Distribution::Kind::kMpi)
    return cat("unset SRUN\n", render_ends(job, "$SLURM_PROCID"), render_others(job, false));
  const bool has_servers = distribution->servers > 0;
  return cat(render_role(*distribution), kAddresses, render_cluster(*distribution),
             "unset SRUN TRAINMAKE_ADDRESSES\n", render_ends(job, "$tm_role $tm_index"),
             has_servers ? render_server(job, *distribution) : "", render_others(job, has_servers));
}

}  // namespace trainmake
