// What of NVIDIA's driver goes into a container that is given some of this machine's GPUs: as its CDI files
// say, else as it is found here. Knows nothing of who gets which.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/host.h"
#include "engine/container/devices.h"

namespace trainmake {

// One of them. What is "" or missing is found out from the other, where the driver tells.
struct GpuName {
  std::optional<int> minor;  // of its node, /dev/nvidia3
  std::string id;            // GPU-...
  int index = 0;             // as nvidia-smi counts: by the bus
  friend bool operator==(const GpuName&, const GpuName&) = default;
};

// Where the container finds the driver's libraries, under all of their names, and no others: its own loader
// knows of none of them.
inline constexpr const char* kDriverLibraries = "/usr/local/nvidia/lib64";
inline constexpr const char* kLibraryPath = "LD_LIBRARY_PATH";  // which then names it

// `cdi` is a folder of CDI files; "" is /etc/cdi, over which /var/run/cdi goes. What tells programs which
// they have counts from 0, as they are numbered in there.
Result<DeviceEdits> edits_for_gpus(Host& host, std::vector<GpuName> gpus, const std::string& cdi);

// Of a file /proc/driver/nvidia/gpus/*/information: nothing when it tells of neither.
std::optional<std::pair<int, std::string>> parse_gpu_information(std::string_view text);
// Of what `ldconfig -p` prints: the driver's libraries for this processor, by their names.
std::vector<std::pair<std::string, std::string>> parse_driver_libraries(std::string_view text);

}  // namespace trainmake
