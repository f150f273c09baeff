#include "cache/file_digests.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

#include "cache/content_digest.h"
#include "cache/file_index.h"
#include "cache/private_key.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/model/looks.h"

namespace trainmake {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;
constexpr std::size_t kSmallestPiece = 16;  // files for which another thread is worth its start
constexpr std::size_t kBatchFiles =
    16384;  // after so much, what was learnt is kept, even if the rest is not read
constexpr std::uint64_t kBatchBytes = 1U << 30U;
constexpr std::int64_t kSaveEvery_ns = 10'000'000'000;
constexpr std::uint32_t kKeptSaves = 50;  // that an entry outlives without being asked for
// A file that was written a moment ago is waited for, rather than read again by every run until its stat can
// be trusted.
constexpr std::chrono::milliseconds kSettling{25};
constexpr std::int64_t kSettling_ns = kSettling.count() * 1'000'000;

unsigned reader_threads() { return std::min(2U, processor_count()); }

Digest128 digest_of_link(const std::string& target) { return Hasher().field("link").field(target).finish(); }

struct Known {
  std::string path;
  Stat stat;
  Digest128 digest;
  bool holds_key = false;
};

bool before(const Known& a, const Known& b) { return a.path < b.path; }

// What was learnt since the index was read: sorted runs, each at least twice as long as the one after it, so
// that there are few to search and little is moved.
class Learnt {
 public:
  bool empty() const { return runs_.empty(); }

  const Known* find(const std::string& path) const {
    for (std::size_t newest = runs_.size(); newest-- > 0;) {
      const auto& run = runs_[newest];
      const auto found =
          std::lower_bound(run.begin(), run.end(), path,
                           [](const Known& known, const std::string& asked) { return known.path < asked; });
      if (found != run.end() && found->path == path) return &*found;
    }
    return nullptr;
  }

  void add(std::vector<Known> run) {
    if (run.empty()) return;
    if (!std::is_sorted(run.begin(), run.end(), before)) std::stable_sort(run.begin(), run.end(), before);
    while (!runs_.empty() && runs_.back().size() < 2 * run.size()) {
      run = merge(std::move(runs_.back()), std::move(run));
      runs_.pop_back();
    }
    runs_.push_back(std::move(run));
  }

  std::vector<Known> all() const {
    std::vector<Known> all;
    for (const std::vector<Known>& run : runs_) all = merge(std::move(all), run);
    return all;
  }

 private:
  // Of two for one path, the newer.
  static std::vector<Known> merge(std::vector<Known> older, std::vector<Known> newer) {
    if (older.empty()) return newer;
    std::vector<Known> merged;
    merged.reserve(older.size() + newer.size());
    auto next = older.begin();
    for (Known& known : newer) {
      while (next != older.end() && next->path < known.path) merged.push_back(std::move(*next++));
      if (next != older.end() && next->path == known.path) ++next;
      merged.push_back(std::move(known));
    }
    merged.insert(merged.end(), std::make_move_iterator(next), std::make_move_iterator(older.end()));
    return merged;
  }

  std::vector<std::vector<Known>> runs_;
};

// What is known of one project's files.
struct ProjectFiles {
  std::mutex mutex;
  std::string path;  // of its index
  bool loaded = false;
  FileIndex index;
  std::vector<bool> asked;  // of the index's entries
  Learnt learnt;
  bool saved = true;
  std::int64_t save_tried_ns = 0;  // by the steady clock
};

// One file to read, and what came of it.
struct Reading {
  const WalkedFile* file = nullptr;
  std::size_t position = 0;  // among what digest() was asked for
  Digest128 digest;
  bool holds_key = false;
  bool unsteady = false;
  bool racy = false;
};

// Reads on several threads; the first error stops them.
class Readers {
 public:
  Readers(FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  Result<void> read(std::span<Reading> readings) {
    const auto middle = std::partition(readings.begin(), readings.end(), [](const Reading& reading) {
      return reading.file->stat.size <= kChunkBytes;
    });
    const std::span<Reading> small(readings.begin(), middle);
    parallel_for(small.size(), kSmallestPiece, reader_threads(), [&](std::size_t begin, std::size_t end) {
      const auto buffer = std::make_unique_for_overwrite<char[]>(kBuffer);
      for (Reading& reading : small.subspan(begin, end - begin)) {
        if (failed_) return;
        take(read_whole(reading, {buffer.get(), kBuffer}));
      }
    });
    for (Reading& reading : std::span<Reading>(middle, readings.end())) read_chunked(reading);
    if (failed_) return fail(*std::move(error_));
    return {};
  }

 private:
  void take(Result<void> result) {
    if (result) return;
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(result).error();
    failed_ = true;
  }

  // nullptr when it is gone, even if there is another one by now.
  Result<std::unique_ptr<FileReader>> open(const std::string& path, const Stat& seen) {
    Result<std::unique_ptr<FileReader>> reader = files_.open(path);
    if (reader) return reader;
    const Result<Stat> there = files_.look(path, Links::kFollow);
    if (there && *there != seen) return std::unique_ptr<FileReader>();
    return reader;
  }

  // `size` bytes; false when there are fewer. A key is looked for where a file begins.
  static Result<bool> digest_bytes(FileReader& reader, std::uint64_t size, std::span<char> buffer,
                                   Digest128& digest, bool* holds_key) {
    Hasher hasher;
    std::uint64_t left = size;
    while (left > 0) {
      TRY_ASSIGN(const std::size_t count,
                 reader.read(buffer.first(std::min<std::uint64_t>(left, buffer.size()))));
      if (count == 0) return false;
      const std::string_view bytes(buffer.data(), count);
      if (holds_key != nullptr && left == size) *holds_key = holds_private_key(bytes);
      if (count == size) {
        digest = digest_of(bytes);
        return true;
      }
      hasher.raw(bytes);
      left -= count;
    }
    digest = hasher.finish();
    return true;
  }

  // That the open file is, after it was read, what the walk saw before shows that nobody wrote in between.
  Result<void> read_whole(Reading& reading, std::span<char> buffer) {
    const Stat& seen = reading.file->stat;
    TRY_ASSIGN(const std::unique_ptr<FileReader> reader, open(path_join(folder_, reading.file->path), seen));
    if (!reader) return reading.unsteady = true, Result<void>();
    reader->expect_writes();
    TRY_ASSIGN(const bool whole,
               digest_bytes(*reader, seen.size, buffer, reading.digest, &reading.holds_key));
    TRY_ASSIGN(const Stat now, reader->stat());
    reading.unsteady = !whole || now != seen;
    return {};
  }

  void read_chunked(Reading& reading) {
    const Stat& seen = reading.file->stat;
    const std::string path = path_join(folder_, reading.file->path);
    std::vector<Digest128> chunks((seen.size + kChunkBytes - 1) / kChunkBytes);
    std::atomic<bool> unsteady = false;
    if (const auto reader = open(path, seen); reader && *reader) (*reader)->expect_writes();
    parallel_for(chunks.size(), 1, reader_threads(), [&](std::size_t begin, std::size_t end) {
      take([&]() -> Result<void> {
        TRY_ASSIGN(const std::unique_ptr<FileReader> reader, open(path, seen));
        if (!reader) return unsteady = true, Result<void>();
        TRY(reader->skip(begin * kChunkBytes));
        const auto buffer = std::make_unique_for_overwrite<char[]>(kBuffer);
        for (std::size_t chunk = begin; chunk < end && !failed_ && !unsteady; ++chunk) {
          const std::uint64_t size = std::min(kChunkBytes, seen.size - chunk * kChunkBytes);
          TRY_ASSIGN(const bool whole, digest_bytes(*reader, size, {buffer.get(), kBuffer}, chunks[chunk],
                                                    chunk == 0 ? &reading.holds_key : nullptr));
          if (!whole) unsteady = true;
        }
        TRY_ASSIGN(const Stat now, reader->stat());
        if (now != seen) unsteady = true;
        return {};
      }());
    });
    reading.unsteady = unsteady;
    reading.digest = digest_of_chunks(chunks, seen.size);
  }

  FileSystem& files_;
  std::string folder_;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::optional<Error> error_;
};

// Answers what is known; what is not is left to be read. With the project's mutex held.
std::vector<Reading> look_up(ProjectFiles& project, std::span<const WalkedFile> files,
                             FileDigests::Digested& digested) {
  const auto answer = [&](std::size_t position, const Digest128& digest, bool holds_key) {
    digested.digests[position] = digest;
    if (holds_key) digested.keys.push_back(position);
  };
  std::vector<Reading> unread;
  std::size_t at = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const WalkedFile& file = files[i];
    if (file.stat.is(FileKind::kLink)) {
      answer(i, digest_of_link(file.link_target), false);
      continue;
    }
    if (file.stat.is(FileKind::kFolder)) {
      answer(i, digest_of(""), false);
      continue;
    }
    if (!project.learnt.empty()) {
      const Known* known = project.learnt.find(file.path);
      if (known != nullptr && known->stat == file.stat) {
        answer(i, known->digest, known->holds_key);
        continue;
      }
    }
    if (i > 0 && file.path < files[i - 1].path) at = 0;
    at = project.index.lower_bound(file.path, at);
    if (at < project.index.size()) {
      if (const FileIndex::Entry entry = project.index[at]; entry.path == file.path) {
        project.asked[at] = true;
        if (entry.stat == file.stat) {
          answer(i, entry.digest, entry.holds_key);
          continue;
        }
      }
    }
    unread.push_back({&file, i, {}});
  }
  return unread;
}

void learn(ProjectFiles& project, std::span<const Reading> readings) {
  std::vector<Known> learnt;
  learnt.reserve(readings.size());
  for (const Reading& reading : readings) {
    if (!reading.unsteady && !reading.racy)
      learnt.push_back({reading.file->path, reading.file->stat, reading.digest, reading.holds_key});
  }
  const std::lock_guard lock(project.mutex);
  if (!learnt.empty()) project.saved = false;
  project.learnt.add(std::move(learnt));
}

// The index as it should be now: with what was learnt, and without what nobody has asked for in a long time.
std::string encoded(const ProjectFiles& project) {
  const std::vector<Known> learnt = project.learnt.all();
  std::size_t path_bytes = project.index.path_bytes();
  for (const Known& known : learnt) path_bytes += known.path.size();
  FileIndex::Writer all(project.index.size() + learnt.size(), path_bytes);
  auto next = learnt.begin();
  const auto add_learnt = [&] {
    all.add({next->path, next->stat, next->digest, next->holds_key});
    ++next;
  };
  for (std::size_t at = 0; at < project.index.size(); ++at) {
    FileIndex::Entry entry = project.index[at];
    while (next != learnt.end() && next->path < entry.path) add_learnt();
    if (next != learnt.end() && next->path == entry.path) continue;
    entry.age = project.asked[at] ? 0 : entry.age + 1;
    if (entry.age <= kKeptSaves) all.add(entry);
  }
  while (next != learnt.end()) add_learnt();
  return all.finish();
}

std::size_t batch_of(std::span<const Reading> readings) {
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  while (count < std::min(readings.size(), kBatchFiles) && bytes < kBatchBytes)
    bytes += readings[count++].file->stat.size;
  return count;
}

}  // namespace

struct FileDigests::Inside {
  FileSystem& files;
  Clock& clock;
  std::string root;
  std::string folder;  // of the indices
  Tally& tally;
  std::mutex mutex = {};
  std::map<std::string, std::unique_ptr<ProjectFiles>> projects = {};

  ProjectFiles& project_in(const std::string& project_folder) {
    const std::lock_guard lock(mutex);
    std::unique_ptr<ProjectFiles>& project = projects[project_folder];
    if (project) return *project;
    project = std::make_unique<ProjectFiles>();
    project->path = path_join(folder, cat(digest_of(project_folder).hex(), ".idx"));
    project->save_tried_ns = clock.steady_ns();
    return *project;
  }

  // With the project's mutex held.
  void load(ProjectFiles& project) {
    if (std::exchange(project.loaded, true)) return;
    Result<std::optional<std::string>> bytes = read_file_if_there(files, project.path);
    if (bytes && *bytes) project.index = FileIndex::parse(**std::move(bytes)).value_or(FileIndex());
    project.asked.resize(project.index.size());
  }

  // Files that a moment makes trustworthy come last, after that moment.
  Result<void> read(ProjectFiles& project, Readers& readers, std::span<Reading> readings) {
    const std::int64_t now_ns = clock.now_ns();
    const auto settles = [&](const Reading& reading) {
      return is_racy(reading.file->stat, now_ns) && !is_racy(reading.file->stat, now_ns + kSettling_ns);
    };
    const auto middle = std::partition(readings.begin(), readings.end(),
                                       [&](const Reading& reading) { return !settles(reading); });
    TRY(read_now(project, readers, {readings.begin(), middle}));
    if (middle == readings.end()) return {};
    const std::int64_t left_ns = now_ns + kSettling_ns - clock.now_ns();
    if (left_ns > 0) clock.wait(std::chrono::milliseconds(left_ns / 1'000'000 + 1), {});
    return read_now(project, readers, {middle, readings.end()});
  }

  // Keeps what was learnt as it goes: whoever is interrupted after an hour of reading has not read in vain.
  Result<void> read_now(ProjectFiles& project, Readers& readers, std::span<Reading> readings) {
    while (!readings.empty()) {
      const std::span<Reading> batch = readings.first(batch_of(readings));
      TRY(read_batch(readers, batch));
      learn(project, batch);
      save_if_due(project);
      readings = readings.subspan(batch.size());
    }
    return {};
  }

  // And lets go of it: most often nothing is asked after that.
  Result<void> save(ProjectFiles& project) {
    const std::lock_guard lock(project.mutex);
    TRY(save_locked(project));
    project.loaded = false;
    project.index = {};
    project.asked = {};
    project.learnt = {};
    return {};
  }

  // What fails here is tried again, and told, at the end: the reading goes on.
  void save_if_due(ProjectFiles& project) {
    const std::lock_guard lock(project.mutex);
    if (clock.steady_ns() - project.save_tried_ns >= kSaveEvery_ns) static_cast<void>(save_locked(project));
  }

  // With the project's mutex held.
  Result<void> save_locked(ProjectFiles& project) {
    project.save_tried_ns = clock.steady_ns();
    if (project.saved) return {};
    load(project);
    TRY(write_file(files, project.path, encoded(project)));
    project.saved = true;
    return {};
  }

  Result<void> read_batch(Readers& readers, std::span<Reading> readings) {
    const std::int64_t began_ns = clock.now_ns();
    TRY(readers.read(readings));
    std::uint64_t bytes = 0;
    for (Reading& reading : readings) {
      reading.racy = is_racy(reading.file->stat, began_ns);
      bytes += reading.file->stat.size;
    }
    tally.hashed_files += readings.size();
    tally.hashed_bytes += bytes;
    return {};
  }
};

FileDigests::FileDigests(FileSystem& files, Clock& clock, std::string root, const std::string& cache_folder,
                         Tally& tally)
    : inside_(new Inside{files, clock, std::move(root), path_join(cache_folder, "files"), tally}) {}

FileDigests::~FileDigests() = default;

Result<FileDigests::Digested> FileDigests::digest(const std::string& folder,
                                                  std::span<const WalkedFile> files,
                                                  std::int64_t looked_at_ns) {
  ProjectFiles& project = inside_->project_in(folder);
  Digested digested;
  digested.digests.resize(files.size());
  inside_->tally.stats_files += files.size();
  std::vector<Reading> readings;
  {
    const std::lock_guard lock(project.mutex);
    inside_->load(project);
    readings = look_up(project, files, digested);
  }
  if (readings.empty()) return digested;
  Readers readers(inside_->files, path_join(inside_->root, folder));
  TRY(inside_->read(project, readers, readings));
  for (const Reading& reading : readings) {
    digested.digests[reading.position] = reading.digest;
    if (reading.holds_key) digested.keys.push_back(reading.position);
    if (reading.unsteady) digested.unsteady.push_back(reading.file->path);
    if (is_racy(reading.file->stat, looked_at_ns)) digested.settled = false;
  }
  std::sort(digested.unsteady.begin(), digested.unsteady.end());
  std::sort(digested.keys.begin(), digested.keys.end());
  return digested;
}

Result<void> FileDigests::save() {
  const std::lock_guard lock(inside_->mutex);
  for (const auto& [folder, project] : inside_->projects) TRY(inside_->save(*project));
  return {};
}

}  // namespace trainmake
