// libFuzzer target for the bytes on disk that we parse by hand: file index, proof, manifest, archive. The
// first byte says which. Built with -DTRAINMAKE_FUZZ=ON (clang); corpus in corpus/state/. Proofs and indices
// are also fed without their digest, which a fuzzer would never guess.
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "cache/archive.h"
#include "cache/file_index.h"
#include "cache/proof_file.h"
#include "engine/base/error.h"
#include "engine/model/manifest.h"

namespace trainmake {
namespace {

void fuzz_index(std::string_view bytes) {
  std::string given(bytes);
  if (given.size() >= 40) {  // with the digest that it should have
    const Digest128 digest = digest_of(std::string_view(given).substr(40));
    std::memcpy(given.data() + 24, &digest.high, 8);
    std::memcpy(given.data() + 32, &digest.low, 8);
  }
  const std::optional<FileIndex> index = FileIndex::parse(std::move(given));
  if (!index) return;
  std::size_t at = 0;
  for (std::size_t i = 0; i < index->size(); ++i) at = std::min(index->lower_bound((*index)[i].path, at), i);
  CHECK(at <= index->size());
}

void fuzz_proof(std::string_view bytes) {
  (void)parse_proof(bytes);
  const std::optional<ProofView> proof = parse_proof_body(bytes);
  if (!proof) return;
  for (const std::string_view text : proof->groups) {
    const std::optional<ProofGroup> group = parse_proof_group(text);
    CHECK(!group || group->names.size() == group->stats.size());
  }
}

void fuzz_manifest(std::string_view bytes) {
  const std::optional<Manifest> manifest = Manifest::decode(bytes);
  if (manifest) CHECK(manifest->encode() == bytes);
}

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

Result<std::uint64_t> read_archive(std::string_view packed) {
  BytesReader reader(packed);
  ArchiveReader archive(reader, "fuzzed");
  std::uint64_t bytes = 0;
  while (bytes < 1'000'000) {
    TRY_ASSIGN(const std::optional<ArchiveReader::Entry> entry, archive.next());
    if (!entry) break;
    CHECK(path_clean(entry->name) == entry->name && !entry->name.starts_with('/'));
    char some[100];
    TRY_ASSIGN(const std::size_t count, archive.read(some));
    CHECK(count <= entry->size);
    bytes += count + 512;
  }
  return bytes;
}

void fuzz_archive(std::string_view bytes) {
  (void)read_archive(bytes);
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 1));
  (void)read_archive(packed);
}

}  // namespace
}  // namespace trainmake

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      trainmake::fuzz_index(bytes);
      break;
    case 1:
      trainmake::fuzz_proof(bytes);
      break;
    case 2:
      trainmake::fuzz_manifest(bytes);
      break;
    default:
      trainmake::fuzz_archive(bytes);
      break;
  }
  return 0;
}
