// What a container is, as each runtime is told. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace trainmake {

// A file or a folder of the host's, seen in the container at `at`, where something lies already.
struct ContainerMount {
  std::string source;
  std::string at;
  bool writable = false;
  friend bool operator==(const ContainerMount&, const ContainerMount&) = default;
};

// A device node of the host's, or what stands for one, seen in the container at `at`.
struct ContainerDevice {
  std::string source;
  std::string at;
  friend bool operator==(const ContainerDevice&, const ContainerDevice&) = default;
};

struct ContainerUser {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;  // beside it
  friend bool operator==(const ContainerUser&, const ContainerUser&) = default;
};

// In namespaces that are the container's already: of its own it gets those of names and, when its command is
// to be process 1, of processes.
struct ContainerSpec {
  std::string root;  // folder
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;  // all of it
  std::string folder = "/";                        // where it works
  ContainerUser user;
  std::vector<ContainerMount> mounts;
  bool is_first = true;   // its command is process 1, which no signal ends that it does not handle
  bool network = false;   // the host's, which knows it by the host's name
  bool terminal = false;  // its command has a terminal, which the runtime joins to its own
  std::vector<ContainerDevice> devices = {};
};

// What every container sees: folders that it needs in its root, absolute.
const std::vector<std::string>& folders_mounted_on();
// The config.json of an OCI runtime's bundle.
std::string render_oci_config(const ContainerSpec& spec);
// For `apptainer`, behind its name. It has no place of its own for a home, and mounts nothing on /run.
std::vector<std::string> render_apptainer(const ContainerSpec& spec);
// What its environment says of that of the container; secrets are among it.
std::map<std::string, std::string> apptainer_environment(const ContainerSpec& spec);
// For `bwrap --args`, which nobody else sees: secrets are among the environment.
std::string render_bubblewrap(const ContainerSpec& spec);

}  // namespace trainmake
