// What a container is, as each runtime is told. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace trainmake {

// A file or a folder of the host's, seen read-only in the container at `at`, where something lies already.
struct ContainerMount {
  std::string source;
  std::string at;
};

struct ContainerUser {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;  // beside it
  friend bool operator==(const ContainerUser&, const ContainerUser&) = default;
};

// In namespaces that are the container's already: of its own it gets those of processes and of names.
struct ContainerSpec {
  std::string root;  // folder
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;  // all of it
  std::string folder = "/";                        // where it works
  ContainerUser user;
  std::vector<ContainerMount> mounts;
};

// What every container sees: folders that it needs in its root, absolute.
const std::vector<std::string>& folders_mounted_on();
// The config.json of an OCI runtime's bundle.
std::string render_oci_config(const ContainerSpec& spec);
// For `bwrap --args`, which nobody else sees: secrets are among the environment.
std::string render_bubblewrap(const ContainerSpec& spec);

}  // namespace trainmake
