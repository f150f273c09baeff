// The GPUs of this machine, as nvidia-smi tells of them, and a queue for them among the jobs of one user,
// whatever workspace and trainmake they are of. Who has one holds a lock on it, which goes with the process
// however that ends. Knows nothing of jobs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/host.h"
#include "engine/container/nvidia.h"

namespace trainmake {

struct Gpu {
  int index = 0;               // as nvidia-smi counts: by the bus
  std::string id;              // GPU-...
  std::uint64_t used_mib = 0;  // of its memory, by whomever
  friend bool operator==(const Gpu&, const Gpu&) = default;
};

// What is asked of nvidia-smi, and its answer: a line for each. An empty optional of another text.
std::vector<std::string> gpu_question(const std::string& program);
std::optional<std::vector<Gpu>> parse_gpus(std::string_view answer);
// Those that the CUDA_VISIBLE_DEVICES of whoever asks leaves, which names them by index or id; "" leaves
// none.
std::vector<Gpu> visible_gpus(std::vector<Gpu> all, const std::optional<std::string>& visible);

// What a job is to get, and where from.
struct GpuRequest {
  std::uint64_t count = 0;
  std::string path;                    // PATH, with nvidia-smi somewhere in it
  std::optional<std::string> visible;  // CUDA_VISIBLE_DEVICES of who asked
  std::string queue;                   // folder of the locks
};

// Where the jobs of this user on this machine meet; `otherwise` where nobody says where caches lie.
std::string gpu_queue_folder(Host& host, const std::string& otherwise);
// Those that may be had. An error when there are not as many as are asked for, now or ever; one of kRemote
// when nvidia-smi does not answer in time, as where the driver is stuck.
Result<std::vector<Gpu>> find_gpus(Host& host, const GpuRequest& request, const std::stop_token& stop = {});

struct HeldGpus {
  std::vector<Gpu> gpus;
  std::vector<FileLock> locks;

  std::string indices() const;  // "0,2"
};

// What CUDA has to be told, unless the job says something else itself.
std::map<std::string, std::string> variables_of(const std::vector<Gpu>& gpus);
// By which a container is given them.
std::vector<GpuName> names_of(const std::vector<Gpu>& gpus);
// Those of one node, where `nodes` are played on this machine: each has as many.
std::vector<Gpu> gpus_of_node(const std::vector<Gpu>& all, std::size_t node, std::size_t nodes);

// A place in the queue, behind those who came before.
class GpuQueue {
 public:
  static Result<GpuQueue> enter(Host& host, GpuRequest request, const std::stop_token& stop = {});
  // Those that were asked for, the least used ones; nothing while it has to wait, and `why` says for what.
  Result<std::optional<HeldGpus>> try_take(std::string& why, const std::stop_token& stop = {});

 private:
  GpuQueue(Host& host, GpuRequest request, std::vector<Gpu> all, std::uint64_t number, FileLock place)
      : host_(host),
        request_(std::move(request)),
        all_(std::move(all)),
        number_(number),
        place_(std::move(place)) {}
  using Free = std::vector<std::pair<Gpu, FileLock>>;
  Result<std::size_t> count_before() const;
  Result<Free> hold_free(std::string& why, const std::stop_token& stop) const;

  Host& host_;
  GpuRequest request_;
  std::vector<Gpu> all_;
  std::uint64_t number_;
  FileLock place_;
};

}  // namespace trainmake
