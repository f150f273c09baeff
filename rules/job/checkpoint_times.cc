#include "rules/job/checkpoint_times.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "engine/base/codec.h"
#include "engine/base/file_marks.h"
#include "engine/base/file_system.h"

namespace trainmake {
namespace {

constexpr std::string_view kMagic = "tm-times-1\n";

std::optional<std::vector<std::int64_t>> decode_times(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  Decoder decoder(bytes.substr(kMagic.size()));
  std::vector<std::int64_t> times(decoder.count(8));
  for (std::int64_t& time : times) time = static_cast<std::int64_t>(decoder.number());
  return decoder.at_end() ? std::optional(std::move(times)) : std::nullopt;
}

}  // namespace

Result<std::string> keep_times(Blobs& blobs, const std::vector<std::int64_t>& mtimes_ns) {
  std::string bytes(kMagic);
  Encoder encoder(bytes);
  encoder.number(mtimes_ns.size());
  for (const std::int64_t time : mtimes_ns) encoder.number(static_cast<std::uint64_t>(time));
  TRY_ASSIGN(const Sha256 digest, blobs.put(bytes));
  return digest.hex();
}

Result<void> give_times(Blobs& blobs, const Checkpoint& checkpoint, const std::string& folder) {
  const std::optional<Sha256> digest = Sha256::parse(checkpoint.times);
  if (!digest || !checkpoint.files) return {};
  TRY_ASSIGN(const std::optional<std::string> bytes, blobs.read(*digest));
  const auto times = bytes ? decode_times(*bytes) : std::nullopt;
  if (!times || times->size() != checkpoint.files->size()) return {};
  std::map<std::string, std::int64_t> folders;  // with something in them: as its newest file
  for (std::size_t i = 0; i < times->size(); ++i) {
    const std::string& key = (*checkpoint.files)[i].key;
    TRY(set_mtime(path_join(folder, key), (*times)[i]));
    for (std::string at(path_folder(key)); !at.empty(); at = path_folder(at)) {
      std::int64_t& newest = folders.try_emplace(at, (*times)[i]).first->second;
      newest = std::max(newest, (*times)[i]);
    }
  }
  for (const auto& [at, newest] : folders) TRY(set_mtime(path_join(folder, at), newest));
  return {};
}

}  // namespace trainmake
