// Starts a job's command in a container of its image, whichever trainmake was asked to: that of a supervisor
// on this machine, or one on a node of a cluster. Knows nothing of logs, limits of time or how runs end.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/base/child.h"
#include "engine/base/host.h"
#include "engine/base/process_table.h"
#include "engine/base/secrets.h"
#include "engine/container/unpacked_layers.h"
#include "rules/job/container_order.h"
#include "rules/job/contract.h"

namespace trainmake {

struct StartedContainer {
  std::vector<UnpackedLayer> layers;  // held while it runs
  Child child;
};

enum class Streams : std::uint8_t {
  kKept,
  kOurs
};  // what it prints is for its child's reader, or goes where ours goes

// `scratch` is a folder of its own that nothing lies in; `marks` is the environment of its runtime, by which
// that can be told.
Result<StartedContainer> start_in_container(Host& host, const ContainerOrder& container,
                                            const RenderedJob& job, const Secrets& secrets,
                                            const std::string& scratch, Streams streams,
                                            const std::map<std::string, std::string>& marks = {});

// SIGTERM to all that runs in the containers of this process.
class ContainerEndRequest {
 public:
  explicit ContainerEndRequest(Host& host) : host_(host) {}
  // Each is asked once, however often this is called: what is still being started is there by the next time.
  void ask();

 private:
  Host& host_;
  std::vector<Process> asked_;
};

}  // namespace trainmake
