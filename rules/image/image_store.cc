#include "rules/image/image_store.h"

#include <mutex>
#include <set>

#include "cache/whole_cache.h"
#include "engine/base/text.h"

namespace trainmake {

struct ImageStore::Made {
  std::mutex mutex;  // guards what follows
  std::set<Sha256> blobs;
};

ImageStore::ImageStore(Host& host, std::string folder, std::string workspace_root)
    : host_(host),
      folder_(std::move(folder)),
      root_(std::move(workspace_root)),
      made_(std::make_shared<Made>()) {}

bool ImageStore::take_new(const Sha256& digest) const {
  const std::lock_guard lock(made_->mutex);
  return made_->blobs.erase(digest) > 0;
}

ImageStore ImageStore::of(Host& host, const Workspace& workspace) {
  return {host, path_join(workspace.cache, kImagesFolder), workspace.root};
}

std::string ImageStore::path(const Sha256& digest) const {
  return path_join(folder_, cat("blobs/sha256/", digest.hex()));
}

Result<Stat> ImageStore::look(const std::string& path, Looks* looks) const {
  TRY_ASSIGN(const Stat stat, host_.files.look(path));
  if (looks != nullptr) looks->files.push_back({path_below(path, root_).value_or(path), stat});
  return stat;
}

Result<std::optional<std::uint64_t>> ImageStore::size_of(const Sha256& digest, Looks* looks) const {
  TRY_ASSIGN(const Stat stat, look(path(digest), looks));
  return stat.is(FileKind::kFile) ? std::optional(stat.size) : std::nullopt;
}

// A name that nobody chose is of no help where a disk is full: the folder is.
Result<void> ImageStore::in_folder(Result<void> written, const std::string& path) const {
  if (written) return written;
  Error error = std::move(written).error();
  const std::string name = quoted(path);
  if (const std::size_t at = error.message.find(name); at != std::string::npos)
    error.message.replace(at, name.size(), quoted(folder_));
  return fail(std::move(error));
}

Result<BlobRef> ImageStore::make(const std::string& media_type,
                                 const std::function<Result<void>(const ByteSink&)>& fill) const {
  const std::string waiting = path_join(
      folder_, cat("blobs/.waiting-", host_.clock.steady_ns(), "-", reinterpret_cast<std::uintptr_t>(&fill)));
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, host_.files.create(waiting, {.large = true}));
  Sha256Hasher hasher;
  BlobRef blob{media_type, {}, 0};
  TRY(fill([&](std::string_view bytes) -> Result<void> {
    hasher.raw(bytes);
    blob.size += bytes.size();
    return in_folder(writer->append(bytes), waiting);
  }));
  blob.digest = hasher.finish();
  TRY(in_folder(writer->commit(), waiting));
  TRY(host_.files.make_folder(path_join(folder_, "blobs/sha256")));
  TRY_ASSIGN(const Stat before, host_.files.look(path(blob.digest)));
  TRY(host_.files.rename(waiting, path(blob.digest)));
  if (before.exists()) return blob;
  const std::lock_guard lock(made_->mutex);
  made_->blobs.insert(blob.digest);
  return blob;
}

Result<BlobRef> ImageStore::make(const std::string& media_type, std::string_view bytes) const {
  return make(media_type, [&](const ByteSink& out) { return out(bytes); });
}

Result<std::optional<std::string>> ImageStore::read(const Sha256& digest) const {
  TRY_ASSIGN(std::optional<std::string> bytes, read_file_if_there(host_.files, path(digest)));
  if (bytes && sha256_of(*bytes) != digest) return std::optional<std::string>();
  return bytes;
}

Result<bool> ImageStore::drop_if_damaged(const Sha256& digest, const std::stop_token& stop) const {
  TRY_ASSIGN(const Stat there, host_.files.look(path(digest)));
  if (!there.is(FileKind::kFile)) return false;
  Sha256Hasher hasher;
  TRY(read_pieces(host_.files, path(digest), stop, [&](std::string_view bytes) {
    hasher.raw(bytes);
    return Result<void>();
  }));
  if (hasher.finish() == digest) return false;
  TRY(host_.files.remove(path(digest)));
  return true;
}

}  // namespace trainmake
