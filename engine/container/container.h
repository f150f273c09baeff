// Starts a command in layers that lie one above the other, as a child of ours: root of namespaces of its own,
// gone with all that it started and mounted however it ends. What it changes is kept apart.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/base/child.h"
#include "engine/base/host.h"
#include "engine/container/devices.h"
#include "engine/container/render.h"

namespace trainmake {

struct Runtime {
  enum class Kind : std::uint8_t { kCrun, kRunc, kBubblewrap, kApptainer };
  Kind kind = Kind::kCrun;
  std::string program;  // its path
};

std::string_view name_of(Runtime::Kind kind);

inline constexpr const char* kContainerPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct ContainerRequest {
  std::vector<std::string> layers;                 // unpacked, the top one first
  std::vector<std::string> arguments;              // [0] is a path in it, or looked up in its PATH
  std::map<std::string, std::string> environment;  // PATH and HOME are added when missing
  std::string folder;                              // where it works; made when missing, "" is its root
  std::string user;                                // as an image's config names it; "" is root
  std::vector<ContainerMount> mounts;              // places for them are made
  std::map<std::string, std::string> secrets;      // in its environment, and in /run/secrets while it runs
  bool network = false;                            // the host's; else loopback alone
  std::string scratch;   // an empty folder of its own, on a disk that overlayfs can write to
  bool is_first = true;  // as ContainerSpec has it
  // Without root, a user of the image's that is another is root instead: all files are ours either way.
  bool any_user = false;
  bool interactive = false;  // it has our stdin, stdout and stderr, and a terminal when those are one
  std::map<std::string, std::string> runtime_environment = {};  // of the runtime, by which it can be told
  DeviceEdits devices = {};  // but for their environment, which is its own affair
};

Result<Child> start_container(FileSystem& files, const Runtime& runtime, const ContainerRequest& request);
// What it changed: the upper folder of its overlay; and what that lies on, the top one first: its layers, and
// places that were made to be mounted on.
std::string changes_of(const ContainerRequest& request);
std::vector<std::string> layers_below_changes(const ContainerRequest& request);

}  // namespace trainmake
