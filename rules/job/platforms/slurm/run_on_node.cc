#include "rules/job/platforms/slurm/run_on_node.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/text.h"
#include "engine/base/working_folder.h"
#include "engine/container/runtime.h"
#include "rules/job/platforms/slurm/hide_on_node.h"
#include "rules/job/platforms/slurm/node_order.h"
#include "rules/job/start_in_container.h"

namespace trainmake {
namespace {

// On a disk of the node: overlayfs cannot write to one that is shared. Others make folders there, too.
Result<std::string> folder_of_this_user(const Environment& environment) {
  const std::string path =
      path_join(environment.get("TMPDIR").value_or("/tmp"), cat("trainmake-", geteuid()));
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(system_error("Cannot make", path, errno));
  struct stat stat {};
  if (lstat(path.c_str(), &stat) != 0) return fail(system_error("Cannot look at", path, errno));
  if (S_ISDIR(stat.st_mode) && stat.st_uid == geteuid() && (stat.st_mode & 0077U) == 0) return path;
  return fail(step_error(cat(quoted(path), " on this node is not a folder of yours alone, and the container ",
                             "would work in it"),
                         "Remove it there, or let the job's node have another `TMPDIR`"));
}

// Slurm's words, and which of the processes it is. Where temporary files lie on the node is not so in there.
void add_what_the_node_says(const Environment& environment, NodeOrder& order) {
  std::map<std::string, std::string> said = environment.variables;
  for (const std::string& secret : order.secrets) said.erase(secret);
  said.erase("TMPDIR");
  if (order.container.gpus) said.erase("CUDA_VISIBLE_DEVICES");  // in there they are counted anew
  order.job.environment.merge(said);
}

Result<void> take_gpus(const Environment& environment, NodeOrder& order) {
  if (!order.container.gpus) return {};
  order.container.gpus->given = gpus_named_by_slurm(environment);
  if (!order.container.gpus->given.empty()) return {};
  return fail(
      step_error("Slurm names no gpus of this node to the job, so that its container can be given none",
                 "See that the node's gres.conf has a `File` for each of them"));
}

}  // namespace

Result<int> run_on_node(const std::string& path, const std::vector<std::string>& more) {
  outlive_the_terminal();
  const Environment environment = Environment::of_process();
  Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  TRY_ASSIGN(const std::string bytes, read_file(host.files, path));
  std::optional<NodeOrder> order = parse_node_order(bytes);
  if (!order) return fail(step_error(cat("Cannot read ", quoted(path))));
  Secrets secrets;
  for (const std::string& name : order->secrets) secrets[name] = environment.get(name).value_or("");
  add_what_the_node_says(environment, *order);
  TRY(take_gpus(environment, *order));
  order->job.arguments.insert(order->job.arguments.end(), more.begin(), more.end());
  TRY_ASSIGN(const std::string own, folder_of_this_user(environment));
  TRY_ASSIGN(const std::unique_ptr<WorkingFolder> work, WorkingFolder::make(host, path_join(own, "work")));
  TRY_ASSIGN(order->container.runtime,
             find_runtime(host, work->path("runtimes"), path_join(own, "runtime.json"),
                          {order->container.wanted, true}));
  TRY_ASSIGN(StartedContainer started,
             start_in_container(host, order->container, order->job, secrets, work->path("scratch"),
                                secrets.empty() ? Streams::kOurs : Streams::kKept));
  ContainerEndRequest request(host);
  return pass_on(started.child, Redactor(values_of(secrets)), [&] { request.ask(); });
}

}  // namespace trainmake
