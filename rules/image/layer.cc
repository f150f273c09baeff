#include "rules/image/layer.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/image/compress.h"

namespace trainmake {
namespace {

constexpr const char* kLayerType = "application/vnd.oci.image.layer.v1.tar+gzip";

// Folders above `path` that were not written yet, outermost first.
std::vector<std::string> new_folders(const std::string& path, std::set<std::string>& written) {
  std::vector<std::string> folders;
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (written.insert(path.substr(0, slash)).second) folders.push_back(path.substr(0, slash));
  }
  return folders;
}

}  // namespace

Layers::Layers(Host& host, std::string cache_folder, Blobs& blobs, const ImageStore& store)
    : host_(host), folder_(std::move(cache_folder)), blobs_(blobs), store_(store) {}

std::string Layers::memo_path(const std::string& tree, const std::string& dest) const {
  return path_join(
      folder_,
      cat("layers/", Hasher().field("layer-gzip-1").field(tree).field(dest).finish().hex(), ".json"));
}

Result<std::optional<Layer>> Layers::remembered(const std::string& tree, const std::string& dest) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host_.files, memo_path(tree, dest)));
  const nlohmann::json memo = text ? parse_json<nlohmann::json>(*text) : nlohmann::json();
  const bool whole = memo.is_object() && memo.contains("digest") && memo["digest"].is_string() &&
                     memo.contains("diff_id") && memo["diff_id"].is_string() && memo.contains("size") &&
                     memo["size"].is_number_unsigned();
  if (!whole) return std::optional<Layer>();
  const std::optional<Sha256> digest = Sha256::parse(memo["digest"].get<std::string>());
  const std::optional<Sha256> diff_id = Sha256::parse(memo["diff_id"].get<std::string>());
  if (!digest || !diff_id) return std::optional<Layer>();
  return std::optional<Layer>({{kLayerType, *digest, memo["size"].get<std::uint64_t>()}, *diff_id});
}

Result<void> Layers::copy_into(const ListedFile& file, TarWriter& tar) {
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, host_.files.open(blobs_.path(file.sha256)));
  std::vector<char> buffer(std::size_t{256} << 10U);
  Sha256Hasher hasher;
  std::uint64_t left = file.size;
  for (;;) {
    TRY_ASSIGN(const std::size_t count, reader->read(buffer));
    if (count == 0 || count > left) break;
    left -= count;
    const std::string_view bytes(buffer.data(), count);
    hasher.raw(bytes);
    TRY(tar.content(bytes));
  }
  if (left == 0 && hasher.finish() == file.sha256) return {};
  TRY(blobs_.remove(file.sha256));
  return fail(step_error(cat("The snapshot of ", quoted(file.key), " is damaged and was removed"),
                         "Run again: it is made anew"));
}

Result<void> Layers::write_tar(const Listing& files, const std::string& dest, const ByteSink& sink) {
  TarWriter tar(sink);
  std::set<std::string> written;
  for (const ListedFile& file : files) {
    const std::string path = path_join(dest.substr(1), file.key);
    for (const std::string& folder : new_folders(path, written))
      TRY(tar.entry({TarEntry::Kind::kFolder, folder, 0755}));
    if (!file.link_target.empty()) {
      TRY(tar.entry({TarEntry::Kind::kLink, path, 0777, 0, file.link_target}));
      continue;
    }
    TRY(tar.entry({TarEntry::Kind::kFile, path, file.mode, file.size}));
    TRY(copy_into(file, tar));
  }
  return tar.finish();
}

Result<Layer> Layers::build(const LayerSource& source, const std::stop_token& stop) {
  TRY_ASSIGN(const Listing files, source.files());
  Sha256Hasher diff_id;
  Layer layer;
  TRY_ASSIGN(layer.blob, store_.make(kLayerType, [&](const ByteSink& out) -> Result<void> {
    GzipMembers gzip(out);
    TRY(write_tar(files, source.dest, [&](std::string_view bytes) -> Result<void> {
      if (stop.stop_requested()) return fail(interrupted_error());
      diff_id.raw(bytes);
      return gzip.add(bytes);
    }));
    return gzip.finish();
  }));
  layer.diff_id = diff_id.finish();
  const nlohmann::json memo = {
      {"digest", layer.blob.digest.hex()}, {"diff_id", layer.diff_id.hex()}, {"size", layer.blob.size}};
  TRY(write_file(host_.files, memo_path(source.tree, source.dest), memo.dump()));
  return layer;
}

}  // namespace trainmake
