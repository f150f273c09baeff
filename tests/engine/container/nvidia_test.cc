// What containers are given of NVIDIA's driver: as CDI files say, as nvidia-ctk writes them, and as it is
// found without one.
#include "engine/container/nvidia.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "engine/container/cdi.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

constexpr const char* kCdi = R"(---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  - OF_DRIVER=1
  deviceNodes:
  - path: /dev/nvidiactl
  hooks:
  - args: [nvidia-ctk, hook, create-symlinks, --link, "../x.so.1::/usr/lib/gbm/x.so", "--link=y.so.1::/usr/lib/y.so", --link]
    hookName: createContainer
    path: /usr/bin/nvidia-ctk
  - args: [nvidia-ctk, hook, update-ldcache, --folder, /usr/lib]
    hookName: createContainer
    path: /usr/bin/nvidia-ctk
  mounts:
  - hostPath: /host/libcuda.so.550.54
    containerPath: /usr/lib/libcuda.so.550.54
    options: [ro, nosuid, nodev, bind]
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: "1"
  containerEdits:
    deviceNodes:
    - {path: /dev/nvidia1, hostPath: /driver/nvidia1, type: c, major: 195, permissions: rw}
- name: GPU-b
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia7
)";

using Nodes = std::vector<ContainerDevice>;
using Links = std::vector<ContainerLink>;

TEST(Cdi, SaysWhatIsOfAllDevicesAndWhatOfEach) {
  const std::optional<CdiSpec> spec = parse_cdi(kCdi);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->kind, "nvidia.com/gpu");
  EXPECT_EQ(spec->common.nodes, (Nodes{{"/dev/nvidiactl", "/dev/nvidiactl"}}));
  EXPECT_EQ(spec->common.mounts,
            (std::vector<ContainerMount>{{"/host/libcuda.so.550.54", "/usr/lib/libcuda.so.550.54"}}));
  EXPECT_EQ(spec->common.links, (Links{{"/usr/lib/gbm/x.so", "../x.so.1"}, {"/usr/lib/y.so", "y.so.1"}}));
  EXPECT_EQ(spec->common.environment,
            (std::map<std::string, std::string>{{"NVIDIA_VISIBLE_DEVICES", "void"}, {"OF_DRIVER", "1"}}));
  EXPECT_EQ(spec->devices.size(), 3U);
  EXPECT_EQ(spec->devices.at("1").nodes, (Nodes{{"/driver/nvidia1", "/dev/nvidia1"}}));
}

TEST(Cdi, MayBeJson) {
  const auto spec = parse_cdi(R"({"cdiVersion": "0.6.0", "kind": "a.b/c", "devices": [{"name": "x",
      "containerEdits": {"deviceNodes": [{"path": "/dev/x"}, {"path": "no"}, 3]}}]})");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->devices.at("x").nodes, (Nodes{{"/dev/x", "/dev/x"}}));
}

TEST(Cdi, AnythingElseIsNone) {
  for (const char* text : {"", "[]", "kind: a.b/c\n", "cdiVersion: 0.5.0\n", "a: [", "- cdiVersion"})
    EXPECT_FALSE(parse_cdi(text)) << text;
}

class Nvidia : public testing::Test {
 protected:
  Nvidia() {
    for (const char* node : {"nvidia0", "nvidia1", "nvidia7", "nvidiactl", "nvidia-uvm"})
      files_.put(cat("/dev/", node), "");
    files_.put("/driver/nvidia1", "");
    files_.put("/host/libcuda.so.550.54", "library");
    files_.put_link("/host/libcuda.so.1", "libcuda.so.550.54");
    files_.put_link("/host/libother.so.1", "libother.so.3");
    processes_.answer = [](const Command& command) -> Result<ProcessResult> {
      EXPECT_EQ(join(command.arguments, " "), "ldconfig -p");
      return ProcessResult{0, "\tlibcuda.so.1 (libc6,x86-64, AArch64) => /host/libcuda.so.1\n", ""};
    };
  }

  Result<DeviceEdits> edits(std::vector<GpuName> gpus, const std::string& cdi = "") {
    return edits_for_gpus(host_, std::move(gpus), cdi);
  }
  std::string refusal(std::vector<GpuName> gpus) {
    const auto given = edits(std::move(gpus));
    return given ? "none" : given.error().message;
  }

  MemFileSystem files_;
  FakeProcesses processes_;
  FakeHttp http_;
  FakeClock clock_;
  Environment environment_;
  Host host_{files_, processes_, http_, clock_, environment_};
};

TEST_F(Nvidia, WithoutACdiFileNodesAndLibrariesAreFound) {
  const auto given = edits({{std::nullopt, "GPU-a", 0}});
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_EQ(given->nodes, (Nodes{{"/dev/nvidia0", "/dev/nvidia0"},
                                 {"/dev/nvidiactl", "/dev/nvidiactl"},
                                 {"/dev/nvidia-uvm", "/dev/nvidia-uvm"}}));
  EXPECT_EQ(
      given->mounts,
      (std::vector<ContainerMount>{{"/host/libcuda.so.550.54", "/usr/local/nvidia/lib64/libcuda.so.1"}}));
  EXPECT_EQ(given->environment, (std::map<std::string, std::string>{
                                    {"CUDA_DEVICE_ORDER", "PCI_BUS_ID"},
                                    {"CUDA_VISIBLE_DEVICES", "0"},
                                    {"LD_LIBRARY_PATH", "/usr/local/nvidia/lib64"},
                                    {"NVIDIA_VISIBLE_DEVICES", "0"},
                                }));
}

TEST_F(Nvidia, ItsNodeIsTheOneThatTheDriverSays) {
  files_.put("/proc/driver/nvidia/gpus/0000:01:00.0/information",
             "Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-a\nDevice Minor: \t 7\n");
  const auto given = edits({{std::nullopt, "GPU-a", 0}});
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_EQ(given->nodes.front().at, "/dev/nvidia7");
}

TEST_F(Nvidia, WhatIsMissingIsSaid) {
  EXPECT_EQ(refusal({{std::nullopt, "", 3}}),
            "GPUs cannot be given to a container: there is no `/dev/nvidia3`");
  processes_.answer = [](const Command&) { return ProcessResult{0, "", ""}; };
  EXPECT_EQ(refusal({{std::nullopt, "", 0}}),
            "GPUs cannot be given to a container: `ldconfig -p` names no libcuda.so.1");
}

TEST_F(Nvidia, ACdiFileGoesBeforeWhatIsFound) {
  files_.put("/etc/cdi/nvidia.yaml", kCdi);
  const auto given = edits({{std::nullopt, "", 0}, {std::nullopt, "GPU-b", 1}});
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_EQ(given->nodes, (Nodes{{"/dev/nvidia0", "/dev/nvidia0"},
                                 {"/dev/nvidiactl", "/dev/nvidiactl"},
                                 {"/dev/nvidia7", "/dev/nvidia7"}}))
      << "a name goes before a number, and what all share is there once";
  EXPECT_EQ(given->links, (Links{{"/usr/lib/gbm/x.so", "../x.so.1"},
                                 {"/usr/lib/y.so", "y.so.1"},
                                 {"/usr/local/nvidia/lib64/libcuda.so.550.54", "/usr/lib/libcuda.so.550.54"},
                                 {"/usr/local/nvidia/lib64/libcuda.so.1", "/usr/lib/libcuda.so.550.54"},
                                 {"/usr/lib/libcuda.so.1", "libcuda.so.550.54"}}));
  EXPECT_EQ(given->environment.at("NVIDIA_VISIBLE_DEVICES"), "0,1");
  EXPECT_EQ(given->environment.at("OF_DRIVER"), "1");
  EXPECT_TRUE(processes_.commands().empty());
}

TEST_F(Nvidia, OfTwoCdiFilesTheOneOfThisBootGoesBefore) {
  files_.put("/etc/cdi/nvidia.yaml", kCdi);
  files_.put("/var/run/cdi/nvidia.json", R"({"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
      "devices": [{"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia1"}]}}]})");
  files_.put("/var/run/cdi/other.json", R"({"cdiVersion": "0.6.0", "kind": "amd.com/gpu"})");
  EXPECT_EQ(edits({{std::nullopt, "", 0}})->nodes, (Nodes{{"/dev/nvidia1", "/dev/nvidia1"}}));
  EXPECT_EQ(edits({{std::nullopt, "", 0}}, "/etc/cdi")->nodes.front().at, "/dev/nvidia0");
}

TEST_F(Nvidia, ACdiFileOfAnotherDriverIsRefused) {
  files_.put("/etc/cdi/nvidia.yaml", kCdi);
  EXPECT_EQ(refusal({{std::nullopt, "GPU-d", 5}}),
            "GPU 5 (GPU-d) cannot be given to a container: `/etc/cdi/nvidia.yaml` has no device `5` of kind "
            "`nvidia.com/gpu`");
  files_.take_away("/host/libcuda.so.550.54");
  EXPECT_EQ(refusal({{std::nullopt, "", 0}}),
            "`/etc/cdi/nvidia.yaml` names `/host/libcuda.so.550.54`, which is not there");
}

TEST(DriverLibraries, AreThoseOfThisProcessor) {
#if defined(__aarch64__)
  constexpr const char* kHere = "AArch64";
#else
  constexpr const char* kHere = "x86-64";
#endif
  const std::string line = cat(" (libc6,", kHere, ") => /lib/");
  EXPECT_EQ(
      parse_driver_libraries(cat("831 libs found in cache `/etc/ld.so.cache'\n", "\tlibnvidia-ml.so.1", line,
                                 "ml.so\n\tlibcuda.so.1 (libc6) => /lib32/cuda.so\n\tlibcuda.so.1", line,
                                 "cuda.so\n\tlibcudart.so.12", line, "cudart.so\n\tlibnvidia-container.so.1",
                                 line, "c.so\n\tlibcuda.so.1", line, "later.so\nlibcuda.so.1 =>\n")),
      (std::vector<std::pair<std::string, std::string>>{{"libcuda.so.1", "/lib/cuda.so"},
                                                        {"libnvidia-ml.so.1", "/lib/ml.so"}}));
}

TEST(GpuInformation, NamesTheNodeAndTheGpu) {
  EXPECT_EQ(parse_gpu_information("GPU UUID: \t GPU-1\nDevice Minor: \t 2\n"),
            std::pair(2, std::string("GPU-1")));
  for (const char* text : {"", "GPU UUID: GPU-1\n", "Device Minor: 2\n", "GPU UUID\nDevice Minor: x\n"})
    EXPECT_FALSE(parse_gpu_information(text)) << text;
}

}  // namespace
}  // namespace trainmake
