#include "cache/whole_cache.h"

#include <array>
#include <random>

#include "cache/archive.h"
#include "cache/state.h"
#include "engine/base/hash.h"
#include "engine/base/temporary_folder.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// What travels beside the database. Proofs do not: they are of this machine's files.
constexpr std::string_view kFolders[] = {"blobs",   "files",   kImagesFolder, "layers",
                                         "mirrors", "fetched", "listed",      "split"};
constexpr std::string_view kDatabase = "state.db";
constexpr std::size_t kBuffer = 256 * 1024;

std::string fresh_name(std::string_view stem) {
  std::random_device random;
  return cat(stem, random(), "-", random());
}

Result<void> go_on(const std::stop_token& stop) {
  return stop.stop_requested() ? fail(interrupted_error()) : Result<void>();
}

bool is_digest_with(std::string_view name, std::string_view ending) {
  return name.ends_with(ending) && Digest128::parse(name.substr(0, name.size() - ending.size()));
}

// The names that a cache of ours has, and no others: a file where a folder belongs would break each run from
// then on. What is still being written, and locks, do not travel.
bool is_ours(std::string_view name) {
  const std::string_view folder = path_folder(name), file = path_name(name);
  if (folder == "files") return is_digest_with(file, ".idx");
  if (folder == "listed" || folder == "split") return Digest128::parse(file).has_value();
  if (folder == "mirrors") return Digest128::parse(file) || is_digest_with(file, ".log");
  if (folder == "fetched") return Sha256::parse(file).has_value();
  if (folder == "layers") return is_digest_with(file, ".json");
  if (folder == kImagesFolder) return file == "oci-layout" || file == "index.json";
  if (folder == cat(kImagesFolder, "/blobs/sha256")) return Sha256::parse(file).has_value();
  if (path_folder(folder) == "blobs/sha256")
    return Sha256::parse(file) && path_name(folder) == file.substr(0, 2);
  return name == kDatabase;
}

struct Sending {
  FileSystem& files;
  const std::stop_token& stop;
  ArchiveWriter archive;
  Transferred sum;

  Result<void> add(const std::string& path, const std::string& name) {
    TRY_ASSIGN(const std::uint64_t size, archive.add(files, path, name, stop));
    ++sum.files;
    sum.bytes += size;
    return {};
  }

  Result<void> add_tree(const std::string& path, const std::string& name, Links links = Links::kKeep) {
    TRY_ASSIGN(const Stat stat, files.look(path, links));
    if (stat.is(FileKind::kFile)) return is_ours(name) ? add(path, name) : Result<void>();
    if (!stat.is(FileKind::kFolder)) return {};
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(path));
    for (const FolderEntry& entry : entries)
      TRY(add_tree(path_join(path, entry.name), path_join(name, entry.name)));
    return {};
  }
};

// The digest that a file has by its name: `.../sha256/.../<64 hex digits>`.
std::optional<Sha256> promised(std::string_view name) {
  return name.find("sha256/") == std::string_view::npos ? std::nullopt : Sha256::parse(path_name(name));
}

Result<void> receive(FileSystem& files, ArchiveReader& archive, const ArchiveReader::Entry& entry,
                     const std::string& to, const std::stop_token& stop) {
  const std::optional<Sha256> digest = promised(entry.name);
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files.create(to, {.mode = digest ? 0444U : 0644U}));
  Sha256Hasher hasher;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBuffer);
  while (true) {
    TRY(go_on(stop));
    TRY_ASSIGN(const std::size_t count, archive.read({buffer.get(), kBuffer}));
    if (count == 0) break;
    const std::string_view bytes(buffer.get(), count);
    if (digest) hasher.raw(bytes);
    TRY(writer->append(bytes));
  }
  if (digest && hasher.finish() != *digest)
    return fail(user_error(cat("The archive is damaged: ", quoted(entry.name), " is not what its name says"),
                           "Export it again"));
  return writer->commit();
}

Result<Transferred> receive_all(FileSystem& files, const std::string& from, const std::string& folder,
                                const std::stop_token& stop) {
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files.open(from));
  ArchiveReader archive(*reader, from);
  Transferred sum;
  bool has_database = false;
  while (true) {
    TRY_ASSIGN(const std::optional<ArchiveReader::Entry> entry, archive.next());
    if (!entry) break;
    if (!is_ours(entry->name)) {
      return fail(
          user_error(cat(quoted(from), " is no exported cache: it has ", quoted(entry->name), " in it"),
                     "`trainmake cache export FILE` writes one"));
    }
    has_database = has_database || entry->name == kDatabase;
    TRY(receive(files, archive, *entry, path_join(folder, entry->name), stop));
    ++sum.files;
    sum.bytes += entry->size;
  }
  if (!has_database)
    return fail(user_error(cat(quoted(from), " is no exported cache: it has no ", quoted(kDatabase)),
                           "`trainmake cache export FILE` writes one"));
  return sum;
}

// Raises it to our schema, and reads every row: what cannot be read, or names what no cache of ours would, is
// refused here.
Result<void> check_database(const std::string& folder) {
  TRY_ASSIGN(const std::unique_ptr<State> state, State::open(folder, State::Access::kWrite));
  TRY(state->each_record([](const Record&, bool) {}));
  TRY(state->all());
  return state->compact();
}

Result<void> copy(FileSystem& files, const std::string& from, const std::string& to,
                  const std::stop_token& stop) {
  TRY_ASSIGN(const Stat stat, files.look(from));
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files.open(from));
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files.create(to, {.mode = stat.mode & 0777U}));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBuffer);
  while (true) {
    TRY(go_on(stop));
    TRY_ASSIGN(const std::size_t count, reader->read({buffer.get(), kBuffer}));
    if (count == 0) return writer->commit();
    TRY(writer->append({buffer.get(), count}));
  }
}

// Moves what is not there yet; to another disk, where a folder of ours is a link to one, by copying.
Result<void> merge(FileSystem& files, const std::string& from, const std::string& to,
                   const std::stop_token& stop, Links links = Links::kKeep) {
  TRY(go_on(stop));
  TRY_ASSIGN(const Stat theirs, files.look(from));
  if (!theirs.exists()) return {};
  TRY_ASSIGN(const Stat ours, files.look(to, links));
  if (!ours.exists()) {
    TRY(files.make_folder(std::string(path_folder(to))));
    if (files.rename(from, to)) return {};
    if (theirs.is(FileKind::kFile)) return copy(files, from, to, stop);
  }
  if (!theirs.is(FileKind::kFolder) || (ours.exists() && !ours.is(FileKind::kFolder))) return {};
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(from));
  for (const FolderEntry& entry : entries)
    TRY(merge(files, path_join(from, entry.name), path_join(to, entry.name), stop));
  return {};
}

}  // namespace

Result<Transferred> export_cache(Host& host, const std::string& cache_folder, const std::string& to,
                                 const std::stop_token& stop) {
  FileSystem& files = host.files;
  TRY_ASSIGN(const Stat there, files.look(path_join(cache_folder, kDatabase)));
  if (!there.exists())
    return fail(user_error(cat("There is nothing to export: ", quoted(cache_folder), " has no state yet"),
                           "Run something first"));
  const TemporaryFolder aside(files, path_join(std::string(path_folder(to)), fresh_name(".tm-export-")));
  TRY(files.make_folder(aside.path()));
  const std::string copy = path_join(aside.path(), kDatabase);
  TRY_ASSIGN(const std::unique_ptr<State> state, State::open(cache_folder, State::Access::kLook));
  TRY(state->copy_to(copy));
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files.create(to));
  Sending sending{files, stop, ArchiveWriter(*writer), {}};
  TRY(sending.add(copy, std::string(kDatabase)));
  for (const std::string_view folder : kFolders)
    TRY(sending.add_tree(path_join(cache_folder, folder), std::string(folder), Links::kFollow));
  TRY(sending.archive.finish());
  TRY(writer->commit());
  return sending.sum;
}

Result<Transferred> import_cache(Host& host, const std::string& cache_folder, const std::string& from,
                                 const Merge& merge_images, const std::stop_token& stop) {
  FileSystem& files = host.files;
  const TemporaryFolder aside(files, path_join(cache_folder, fresh_name(kImportFolder)));
  TRY_ASSIGN(const Transferred sum, receive_all(files, from, aside.path(), stop));
  if (Result<void> sound = check_database(aside.path()); !sound) {
    return fail(user_error(cat("Cannot import ", quoted(from), ": ", sound.error().message),
                           "Nothing was changed; export it again, with this trainmake"));
  }
  TRY_ASSIGN(const std::unique_ptr<State> state, State::open(cache_folder, State::Access::kWrite));
  for (const std::string_view folder : kFolders)
    TRY(merge(files, path_join(aside.path(), folder), path_join(cache_folder, folder), stop, Links::kFollow));
  TRY(merge_images(path_join(aside.path(), kImagesFolder), path_join(cache_folder, kImagesFolder)));
  // The records come last, so that there is none of what is not there.
  TRY(state->add_from(path_join(aside.path(), kDatabase)));
  return sum;
}

}  // namespace trainmake
