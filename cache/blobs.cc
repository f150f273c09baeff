#include "cache/blobs.h"

#include <atomic>
#include <random>

#include "cache/file_digests.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::uint32_t kReadOnly = 0444;
constexpr std::size_t kSmallBytes = std::size_t{256} << 10U;
constexpr std::size_t kSyncedOneByOne = 16;

// Two processes that put at once must not meet in a name: what one wrote would get the other's digest.
std::string name_of_its_own() {
  static const std::uint64_t process = [] {
    std::random_device random;
    return std::uint64_t{random()} << 32U | random();
  }();
  static std::atomic<std::uint64_t> next = 0;
  return cat(process, "-", next.fetch_add(1));
}

std::vector<std::string_view> names_of(const std::vector<FolderEntry>& entries) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const FolderEntry& entry : entries) names.push_back(entry.name);
  return names;
}

}  // namespace

Blobs::Blobs(FileSystem& files, const std::string& cache_folder)
    : files_(files), folder_(path_join(cache_folder, "blobs")) {}

std::string Blobs::path(const Sha256& digest) const {
  const std::string hex = digest.hex();
  return cat(folder_, "/sha256/", std::string_view(hex).substr(0, 2), "/", hex);
}

Result<bool> Blobs::has(const Sha256& digest) {
  TRY_ASSIGN(const Stat stat, files_.look(path(digest)));
  return stat.is(FileKind::kFile);
}

Result<Sha256> Blobs::put(std::string_view bytes) {
  const Sha256 digest = sha256_of(bytes);
  TRY(put_whole(digest, bytes));
  return digest;
}

Result<void> Blobs::put_whole(const Sha256& digest, std::string_view bytes) {
  const std::string to = path(digest);
  TRY_ASSIGN(const Stat there, files_.look(to));
  if (there.is(FileKind::kFile) && there.size == bytes.size()) {
    const Result<std::string> same = read_file(files_, to, bytes.size());
    if (same && *same == bytes) return {};  // else it has rotted, and is written again
  }
  return write_file(files_, to, bytes, {.mode = kReadOnly});
}

Result<Blobs::Stored> Blobs::put_file(const std::string& path, const std::stop_token& stop) {
  const std::string incoming = path_join(folder_, cat("incoming/", name_of_its_own()));
  std::unique_ptr<FileWriter> writer;
  std::string small;  // all of it, until it turns out not to be
  Sha256Hasher sha256;
  ContentHasher content;
  Stored stored;
  const auto take = [&](std::string_view bytes) -> Result<void> {
    sha256.raw(bytes);
    content.add(bytes);
    stored.size += bytes.size();
    if (stored.size <= kSmallBytes) {
      small += bytes;
      return {};
    }
    if (!writer) {
      TRY_ASSIGN(writer, files_.create(incoming, {.mode = kReadOnly}));
      TRY(writer->append(small));
    }
    return writer->append(bytes);
  };
  TRY(read_pieces(files_, path, stop, take));
  stored.sha256 = sha256.finish();
  stored.content = content.finish();
  if (!writer) {  // most of a tree is there already, and a rename over what is there costs more than a look
    TRY(put_whole(stored.sha256, small));
    return stored;
  }
  TRY(writer->commit());
  TRY(place(incoming, stored.sha256));
  return stored;
}

Result<Blobs::Stored> Blobs::take_in(const std::string& path, const std::stop_token& stop) {
  Sha256Hasher sha256;
  ContentHasher content;
  Stored stored;
  TRY(read_pieces(files_, path, stop, [&](std::string_view bytes) -> Result<void> {
    sha256.raw(bytes);
    content.add(bytes);
    stored.size += bytes.size();
    return {};
  }));
  stored.sha256 = sha256.finish();
  stored.content = content.finish();
  const std::string to = this->path(stored.sha256);
  TRY(files_.make_folder(std::string(path_folder(to))));
  TRY_ASSIGN(const std::unique_ptr<FileWriter> closing, files_.extend(path));
  TRY(closing->commit());
  if (files_.rename(path, to)) return stored;
  // The blobs are on another disk, by a link.
  TRY_ASSIGN(stored, put_file(path, stop));
  TRY(files_.remove(path));
  return stored;
}

Result<void> Blobs::sync(const std::vector<Sha256>& digests) {
  if (digests.size() > kSyncedOneByOne) return files_.sync_disk(folder_);
  for (const Sha256& digest : digests) TRY(files_.sync_file(path(digest)));
  return {};
}

Result<Sha256> Blobs::put_pieces(const std::function<Result<void>(const Sink&)>& give) {
  const std::string incoming = path_join(folder_, cat("incoming/", name_of_its_own()));
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files_.create(incoming, {.mode = kReadOnly}));
  Sha256Hasher sha256;
  TRY(give([&](std::string_view bytes) {
    sha256.raw(bytes);
    return writer->append(bytes);
  }));
  TRY(writer->commit());
  const Sha256 digest = sha256.finish();
  TRY(place(incoming, digest));
  return digest;
}

Result<void> Blobs::place(const std::string& incoming, const Sha256& digest) {
  const std::string to = path(digest);
  Result<void> placed = files_.make_folder(std::string(path_folder(to)));
  if (placed)
    placed = files_.rename(incoming, to);  // over one that is there: that heals it, should it have rotted
  if (!placed) (void)files_.remove(incoming);
  return placed;
}

Result<std::optional<std::string>> Blobs::read(const Sha256& digest) {
  const std::string from = path(digest);
  TRY_ASSIGN(const Stat there, files_.look(from));
  if (!there.exists()) return std::optional<std::string>();
  TRY_ASSIGN(std::string bytes, read_file(files_, from, UINT64_MAX));
  if (sha256_of(bytes) == digest) return std::optional(std::move(bytes));
  TRY(remove(digest));
  return std::optional<std::string>();
}

Result<bool> Blobs::copy_out(const Sha256& digest, const std::string& to, const WriteOptions& options,
                             const Copying& copying) {
  const std::string from = path(digest);
  TRY_ASSIGN(const Stat there, files_.look(from));
  if (!there.exists()) return false;
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files_.create(to, options));
  Sha256Hasher sha256;
  TRY(read_pieces(files_, from, copying.stop, [&](std::string_view bytes) {
    sha256.raw(bytes);
    if (copying.copied) copying.copied(bytes.size());
    return writer->append(bytes);
  }));
  if (sha256.finish() == digest) {
    TRY(writer->commit());
    return true;
  }
  TRY(remove(digest));
  return false;
}

Result<bool> Blobs::is_sound(const Sha256& digest) {
  TRY_ASSIGN(const bool there, has(digest));
  if (!there) return false;
  Sha256Hasher sha256;
  TRY(read_pieces(files_, path(digest), {}, [&](std::string_view bytes) {
    sha256.raw(bytes);
    return Result<void>();
  }));
  if (sha256.finish() == digest) return true;
  TRY(remove(digest));
  return false;
}

Result<void> Blobs::remove(const Sha256& digest) { return files_.remove(path(digest)); }

Result<void> Blobs::each_folder(
    const std::function<Result<void>(const std::string&, const std::vector<FolderEntry>&)>& visit) {
  const std::string top = path_join(folder_, "sha256");
  TRY_ASSIGN(const Stat there, files_.look(top));
  if (!there.exists()) return {};
  TRY_ASSIGN(const std::vector<FolderEntry> folders, files_.list(top));
  for (const FolderEntry& folder : folders) {
    if (folder.kind != FileKind::kFolder) continue;
    const std::string inside = path_join(top, folder.name);
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files_.list(inside));
    TRY(visit(inside, entries));
  }
  return {};
}

Result<void> Blobs::each(const std::function<void(const Sha256&, const Stat&)>& visit) {
  return each_folder([&](const std::string& folder, const std::vector<FolderEntry>& entries) -> Result<void> {
    const std::vector<std::string_view> names = names_of(entries);
    std::vector<Stat> stats(names.size());
    TRY(files_.look_at_all(folder, names, stats));
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::optional<Sha256> digest = Sha256::parse(names[i]);
      if (digest && stats[i].is(FileKind::kFile)) visit(*digest, stats[i]);
    }
    return {};
  });
}

Result<void> Blobs::sweep() {
  TRY(files_.remove(path_join(folder_, "incoming")));
  return each_folder([&](const std::string& folder, const std::vector<FolderEntry>& entries) -> Result<void> {
    for (const FolderEntry& entry : entries) {
      if (!Sha256::parse(entry.name)) TRY(files_.remove(path_join(folder, entry.name)));
    }
    return {};
  });
}

}  // namespace trainmake
