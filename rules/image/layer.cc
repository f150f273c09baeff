#include "rules/image/layer.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "cache/file_digests.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "rules/image/pack.h"

namespace trainmake {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10U;
constexpr std::uint64_t kTellBytes = std::uint64_t{1} << 20U;
constexpr int kTries = 2;  // of a layer whose files change while they are read

// Folders above `path` that were not written yet, outermost first.
std::vector<std::string> new_folders(const std::string& path, std::set<std::string>& written) {
  std::vector<std::string> folders;
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (written.insert(path.substr(0, slash)).second) folders.push_back(path.substr(0, slash));
  }
  return folders;
}

// As every base has them; a layer says it again of those that lie above its files.
std::uint32_t mode_of_folder(std::string_view path) {
  if (path == "tmp" || path == "var/tmp") return 01777;
  return path == "root" ? 0700 : 0755;
}

// Of somebody whom the base made, who owns it there.
bool is_home(std::string_view path) {
  const std::optional<std::string> name = path_below(path, "home");
  return name && !name->empty() && name->find('/') == name->npos;
}

Error not_as_listed(const ListedFile& file) {
  if (!file.source.empty())
    return step_error(cat(quoted(file.source), " changed while it was read"),
                      "Run again when nothing writes to it: nothing was recorded");
  return step_error(cat("The snapshot of ", quoted(file.key), " is damaged and was removed"),
                    "Run again: it is made anew");
}

}  // namespace

std::string render_memo(const Layer& layer) {
  return nlohmann::json{
      {"digest", layer.blob.digest.hex()}, {"diff_id", layer.diff_id.hex()}, {"size", layer.blob.size}}
      .dump();
}

std::optional<Layer> parse_memo(std::string_view text, Compression compression) {
  const nlohmann::json memo = parse_json<nlohmann::json>(text);
  const std::optional<Sha256> digest = Sha256::parse(text_at(memo, "digest"));
  const std::optional<Sha256> diff_id = Sha256::parse(text_at(memo, "diff_id"));
  const bool sized = memo.is_object() && memo.contains("size") && memo["size"].is_number_unsigned();
  if (!digest || !diff_id || !sized) return std::nullopt;
  return Layer{{layer_media_type(compression), *digest, memo["size"].get<std::uint64_t>()}, *diff_id};
}

Layers::Layers(Host& host, const Workspace& workspace, Blobs& blobs, const ImageStore& store)
    : host_(host), workspace_(workspace), blobs_(blobs), store_(store) {}

// The version is of the bytes that this program makes of a tree.
std::string Layers::memo_path(const LayerKey& key) const {
  const Digest128 digest =
      Hasher().field("layer-4").field(name_of(key.compression)).field(key.tree).field(key.dest).finish();
  return path_join(workspace_.cache, cat("layers/", digest.hex(), ".json"));
}

Result<std::optional<Layer>> Layers::remembered(const LayerKey& key) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host_.files, memo_path(key)));
  return text ? parse_memo(*text, key.compression) : std::nullopt;
}

// One read, in which the bytes that go into the layer are those that are digested. False when they are not
// what was listed.
Result<bool> Layers::copy_into(const ListedFile& file, TarWriter& tar) {
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader,
             host_.files.open(file.source.empty() ? blobs_.path(file.sha256) : workspace_.path(file.source)));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
  ContentHasher hasher;
  std::uint64_t left = file.size;
  for (;;) {
    TRY_ASSIGN(const std::size_t count, reader->read({buffer.get(), kReadBytes}));
    if (count > left) return false;
    if (count == 0) return left == 0 && hasher.finish() == file.content;
    left -= count;
    const std::string_view bytes(buffer.get(), count);
    hasher.add(bytes);
    TRY(tar.content(bytes));
  }
}

// Gives the first file that is not what was listed: what was written is of no use then.
Result<const ListedFile*> Layers::write_tar(const Listing& files, const std::string& dest,
                                            const ByteSink& sink) {
  TarWriter tar(sink);
  std::set<std::string> written;
  for (const ListedFile& file : files) {
    const std::string path = path_join(dest.substr(1), file.key);
    for (const std::string& folder : new_folders(path, written)) {
      if (is_home(folder)) continue;
      TRY(tar.entry({TarEntry::Kind::kFolder, folder, mode_of_folder(folder)}));
    }
    if (!file.link_target.empty()) {
      TRY(tar.entry({TarEntry::Kind::kLink, path, 0777, 0, file.link_target}));
      continue;
    }
    TRY(tar.entry({TarEntry::Kind::kFile, path, file.mode, file.size}));
    TRY_ASSIGN(const bool same, copy_into(file, tar));
    if (!same) return &file;
  }
  TRY(tar.finish());
  return nullptr;
}

// `differing` is set when a file is not what was listed.
Result<Layer> Layers::make(const LayerSource& source, const Listing& files, const ListedFile*& differing,
                           const std::stop_token& stop) {
  Layer layer;
  const ByteSink also = source.also ? source.also() : nullptr;
  const auto fill = [&](const ByteSink& out) -> Result<void> {
    Packer packer(source.key.compression, processor_count(), [&](std::string_view bytes) -> Result<void> {
      TRY(out(bytes));
      return also ? also(bytes) : Result<void>();
    });
    std::uint64_t packed = 0;
    const auto pack = [&](std::string_view bytes) -> Result<void> {
      if (stop.stop_requested()) return fail(interrupted_error());
      const std::uint64_t before = std::exchange(packed, packed + bytes.size());
      if (source.packed && before / kTellBytes != packed / kTellBytes) source.packed(packed);
      return packer.add(bytes);
    };
    TRY_ASSIGN(differing, write_tar(files, source.key.dest, pack));
    if (differing != nullptr) return fail(not_as_listed(*differing));
    TRY_ASSIGN(layer.diff_id, packer.finish());
    return {};
  };
  TRY_ASSIGN(layer.blob, store_.make(layer_media_type(source.key.compression), fill));
  return layer;
}

Result<Layer> Layers::build(const LayerSource& source, const std::stop_token& stop) {
  TRY_ASSIGN(const Listing files, source.files());
  for (int attempt = 1;; ++attempt) {
    const ListedFile* differing = nullptr;
    Result<Layer> layer = make(source, files, differing, stop);
    if (differing != nullptr && attempt < kTries) continue;
    if (differing != nullptr && differing->source.empty()) TRY(blobs_.remove(differing->sha256));
    if (!layer) return layer;
    TRY(write_file(host_.files, memo_path(source.key), render_memo(*layer)));
    return layer;
  }
}

}  // namespace trainmake
