// libFuzzer target for what this machine's files and programs tell of its devices. The first byte says which.
// Built with -DTRAINMAKE_FUZZ=ON (clang); corpus in corpus/devices/.
#include "engine/base/error.h"
#include "engine/container/cdi.h"
#include "engine/container/nvidia.h"

namespace trainmake {
namespace {

void fuzz_cdi(std::string_view bytes) {
  const std::optional<CdiSpec> spec = parse_cdi(bytes);
  if (!spec) return;
  for (const auto& [name, edits] : spec->devices) {
    for (const ContainerDevice& node : edits.nodes) CHECK(node.at.starts_with('/') && !node.source.empty());
    for (const ContainerMount& mount : edits.mounts) CHECK(mount.at.starts_with('/') && !mount.writable);
    for (const ContainerLink& link : edits.links) CHECK(link.at.starts_with('/') && !link.target.empty());
  }
}

void fuzz_information(std::string_view bytes) {
  if (const auto told = parse_gpu_information(bytes)) CHECK(!told->second.empty());
}

void fuzz_libraries(std::string_view bytes) {
  for (const auto& [name, path] : parse_driver_libraries(bytes)) CHECK(name.starts_with("lib"));
}

}  // namespace
}  // namespace trainmake

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  using Fuzz = void (*)(std::string_view);
  constexpr Fuzz kAll[] = {trainmake::fuzz_cdi, trainmake::fuzz_information, trainmake::fuzz_libraries};
  kAll[data[0] % std::size(kAll)]({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
