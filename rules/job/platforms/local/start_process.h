// Starts one process of an order: on this machine as it is, or in a container of the job's image. What
// differs between the two from then on is said here, too. Knows nothing of logs, limits of time or how runs
// end.
#pragma once

#include <optional>
#include <vector>

#include "engine/base/child.h"
#include "engine/base/host.h"
#include "engine/base/secrets.h"
#include "engine/container/unpacked_layers.h"
#include "rules/job/platforms/local/run_folder.h"
#include "rules/job/start_in_container.h"

namespace trainmake {

// They are its processes' from now on: servers see none; of the others each sees those of its node. A
// container is given them when it starts.
void give_gpus(const std::vector<Gpu>& gpus, Order& order);

struct StartedProcess {
  std::vector<UnpackedLayer> layers;  // held while it runs
  Child child;
};

// `job` is the order's, or that of a `task` of it. `scratch` is a folder of its own that nothing lies in;
// of a process without a container it is not made.
Result<StartedProcess> start_process(Host& host, const Order& order, const RenderedJob& job,
                                     const Secrets& secrets, const std::string& scratch,
                                     Streams streams = Streams::kKept, const Task* task = nullptr);

// SIGTERM to a process of an order and what it started.
class EndRequest {
 public:
  EndRequest(Host& host, const Order& order) {
    if (order.container) in_container_.emplace(host);
  }
  // Each is asked once, however often this is called: what is still being started is there by the next time.
  void ask(Child& child);

 private:
  std::optional<ContainerEndRequest> in_container_;
  bool is_asked_ = false;
};

// How the job's process ended, when the one that was started ended so: a runtime tells of a signal by a
// number.
ChildEnd job_end_of(const Order& order, ChildEnd end);

}  // namespace trainmake
