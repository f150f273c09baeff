// libFuzzer target for layers: whatever a tar says, nothing is written beside the folder that it is unpacked
// to. Built with -DTRAINMAKE_FUZZ=ON (clang); corpus in corpus/unpack/.
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "engine/base/remove_tree.h"
#include "engine/container/unpack.h"

namespace trainmake {
namespace {

class BytesReader final : public FileReader {
 public:
  explicit BytesReader(std::string_view bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::span<char> into) override {
    const std::size_t count = bytes_.copy(into.data(), into.size());
    bytes_.remove_prefix(count);
    return count;
  }
  Result<Stat> stat() override { return Stat(); }

 private:
  std::string_view bytes_;
};

std::string make_scratch() {
  char name[] = "/tmp/trainmake-fuzz-XXXXXX";
  CHECK(mkdtemp(name) != nullptr);
  return name;
}

void fuzz(std::string_view bytes) {
  static const std::string scratch = make_scratch();
  const std::string root = scratch + "/in/root";
  std::filesystem::create_directories(root);
  BytesReader reader(bytes);
  (void)unpack_layer(reader, root, {.bytes = 1'000'000, .entries = 1000}, {});
  for (const auto& [folder, only] : {std::pair(scratch, "in"), std::pair(scratch + "/in", "root")}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      CHECK(entry.path().filename() == only);
  }
  CHECK(remove_tree(scratch + "/in"));
}

}  // namespace
}  // namespace trainmake

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trainmake::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
