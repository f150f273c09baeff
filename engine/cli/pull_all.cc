#include "engine/cli/pull_all.h"

#include "engine/base/hash.h"
#include "engine/base/text.h"
#include "engine/base/walk.h"
#include "engine/cli/live_run.h"

namespace trainmake {
namespace {

Error kept_nowhere(const Run& run) {
  return user_error(cat("Of run ", quoted(run.id), " nothing is kept beside its declared outputs"),
                    "Those come with `trainmake pull` alone; a bucket or UFS of UAI-Train keeps all");
}

Result<Sha256> read_file_through(FileSystem& files, const std::string& path,
                                 const std::function<Result<void>(std::string_view)>& sink) {
  Sha256Hasher hasher;
  TRY(read_pieces(files, path, {}, [&](std::string_view bytes) {
    hasher.raw(bytes);
    return sink(bytes);
  }));
  return hasher.finish();
}

Result<Sha256> digest_of_file(FileSystem& files, const std::string& path) {
  return read_file_through(files, path, [](std::string_view) { return Result<void>(); });
}

Result<void> check_free(FileSystem& files, const std::string& from, const std::string& to) {
  TRY_ASSIGN(const Stat there, files.look(to));
  if (!there.exists()) return {};
  if (there.is(FileKind::kFile)) {
    TRY_ASSIGN(const Sha256 ours, digest_of_file(files, from));
    TRY_ASSIGN(const Sha256 its, digest_of_file(files, to));
    if (ours == its) return {};
  }
  return fail(user_error(cat(quoted(to), " is there already, and is not what the run left"),
                         "`--to DIR` puts it elsewhere, `--overwrite` replaces it"));
}

Result<RunOutput> copy(FileSystem& files, const WalkedFile& file, const std::string& from,
                       const std::string& to) {
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files.create(to, {.large = true}));
  TRY_ASSIGN(const Sha256 digest,
             read_file_through(files, from, [&](std::string_view bytes) { return writer->append(bytes); }));
  TRY(writer->commit());
  return RunOutput{file.path, file.path, file.stat.size, digest.hex()};
}

}  // namespace

Result<std::vector<RunOutput>> pull_all(Session& session, const Run& run, const std::string& folder,
                                        bool overwrite, const std::stop_token& stop) {
  FileSystem& files = session.host().files;
  TRY_ASSIGN(Platform * platform, platform_of(session, run));
  if (!platform->traits.reads_stores) return fail(kept_nowhere(run));
  const JobHandle job = JobHandle::of(run);
  const std::string everything;
  TRY_ASSIGN(const std::string from, platform->left(job, {Left::kOutput, {everything}, stop}));
  TRY_ASSIGN(const Stat there, files.look(from, Links::kFollow));
  if (!there.is(FileKind::kFolder)) return fail(kept_nowhere(run));
  WalkRequest request;
  request.top = from;
  request.include = {"**"};
  request.all_names = true;
  TRY_ASSIGN(const Walked walked, walk(files, request));
  if (!overwrite) {
    for (const WalkedFile& file : walked.files)
      TRY(check_free(files, path_join(from, file.path), path_join(folder, file.path)));
  }
  std::vector<RunOutput> copied;
  for (const WalkedFile& file : walked.files) {
    if (stop.stop_requested()) return fail(interrupted_error());
    if (!file.stat.is(FileKind::kFile)) {
      write_stderr(cat(printable(file.path), " is a link, and left out\n"));
      continue;
    }
    TRY_ASSIGN(RunOutput one, copy(files, file, path_join(from, file.path), path_join(folder, file.path)));
    copied.push_back(std::move(one));
  }
  // What was brought for this alone lies here a second time.
  TRY(platform->settled(job, run.status, {}));
  return copied;
}

}  // namespace trainmake
