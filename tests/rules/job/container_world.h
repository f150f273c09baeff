// Worlds whose jobs run in containers of an image that is busybox alone: on this machine, and on the nodes of
// a Slurm.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "engine/container/runtime.h"
#include "engine/container/unpacked_layers.h"
#include "tests/rules/job/local_world.h"
#include "tests/rules/job/slurm_world.h"
#include "tests/support/tar_bytes.h"

namespace trainmake {

constexpr const char* kBusybox = "/bin/busybox";

// What the image is in `layers`, unpacked.
inline ImageRoot unpacked_busybox(Host& host, const ScratchFolder& folder, const std::string& layers) {
  std::ifstream file(kBusybox, std::ios::binary);
  TarBytes tar;
  tar.add('5', "bin", "", 0755)
      .add('0', "bin/busybox", {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()},
           0755);
  for (const char* name :
       {"sh", "cat", "sleep", "env", "sort", "cut", "ls", "id", "test", "printf", "kill", "tr", "hostname"})
    tar.add('2', std::string("bin/") + name, "busybox");
  folder.write("layer.tar", tar.end());
  const Sha256 diff_id = sha256_of(tar.end());
  const auto taken = UnpackedLayers(host, layers)
                         .take(diff_id, [&] { return Result<std::string>(folder.path("layer.tar")); }, {});
  EXPECT_TRUE(taken) << (taken ? "" : taken.error().message);
  return {layers, {diff_id.hex()}, {}, ""};
}

struct ContainerWorld : LocalWorld {
  explicit ContainerWorld(LocalOptions options = {.container = true}, Contract contract = default_contract())
      : LocalWorld(options, std::move(contract)) {}

  // "" when containers can be run here.
  static std::string why_not() {
    if (!std::filesystem::exists(kBusybox)) return "there is no busybox-static";
    static const std::string why = [] {
      const LocalWorld world;
      Host host = world.host;
      const auto found = find_runtime(host, world.folder.path("try"), world.folder.path("runtime.json"));
      return found ? "" : found.error().message;
    }();
    return why;
  }

  JobSpec inside(JobSpec spec) const {
    spec.root = root;
    return spec;
  }

  std::string log_folder(const std::string& run) const { return cat("cache/runs/", run, "/log"); }

  ImageRoot root = unpacked_busybox(host, folder, folder.path("unpacked/layers"));
};

struct SlurmContainerWorld : SlurmWorld {
  explicit SlurmContainerWorld(Processes* real = nullptr) : SlurmWorld(real, in_containers()) {}

  JobSpec inside(JobSpec spec) const {
    spec.root = root;
    return spec;
  }
  // From the scratch folder.
  std::string log_folder(const std::string& run) {
    return *path_below(platform.folder_of(run)->log_folder(), folder.path());
  }

  ImageRoot root = unpacked_busybox(host, folder, platform.traits.layers);

 private:
  static SlurmOptions in_containers() {
    SlurmOptions options;
    options.container = true;
    return options;
  }
};

}  // namespace trainmake
