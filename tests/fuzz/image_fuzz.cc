// libFuzzer target for what registries and their images send us: layers as they stream by, and the documents
// above them. The first byte says which. Built with -DTRAINMAKE_FUZZ=ON (clang); corpus in corpus/image/.
#include <algorithm>

#include "engine/base/error.h"
#include "rules/image/image_contents.h"
#include "rules/image/tar_check.h"
#include "rules/image/uncompress.h"

namespace trainmake {
namespace {

std::vector<std::string> faults_of(std::string_view tar, TarMaker maker, std::size_t piece) {
  TarCheck check(maker);
  for (; !tar.empty(); tar.remove_prefix(std::min(piece, tar.size()))) check.add(tar.substr(0, piece));
  return check.finish();
}

void fuzz_tar(std::string_view bytes) {
  const std::vector<std::string> whole = faults_of(bytes, TarMaker::kUs, bytes.size());
  CHECK(faults_of(bytes, TarMaker::kUs, 100) == whole);
  CHECK(faults_of(bytes, TarMaker::kAnybody, 100).size() <= whole.size());
}

void fuzz_uncompressed(std::string_view bytes, Compression compression) {
  TarCheck check(TarMaker::kAnybody);
  std::uint64_t count = 0;
  Uncompressor stream(compression, [&](std::string_view piece) -> Result<void> {
    count += piece.size();
    check.add(piece);
    return count < 10'000'000 ? Result<void>() : fail(interrupted_error());
  });
  if (stream.add(bytes)) (void)stream.finish();
  (void)check.finish();
}

void fuzz_documents(std::string_view bytes) {
  (void)parse_image_manifest(bytes);
  (void)parse_image_index(bytes);
  (void)parse_image_config(bytes);
  (void)is_canonical(bytes);
  (void)media_type_of(bytes);
  if (const std::optional<ImageAddress> address = parse_image_address(bytes))
    (void)address->name(address->tag);
}

}  // namespace
}  // namespace trainmake

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      trainmake::fuzz_tar(bytes);
      break;
    case 1:
      trainmake::fuzz_uncompressed(bytes, trainmake::Compression::kGzip);
      break;
    case 2:
      trainmake::fuzz_uncompressed(bytes, trainmake::Compression::kZstd);
      break;
    default:
      trainmake::fuzz_documents(bytes);
      break;
  }
  return 0;
}
