#include "rules/job/outputs.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/base/walk.h"

namespace trainmake {
namespace {

Result<RunOutput> keep(FileSystem& files, Blobs& blobs, const std::string& folder, std::string name,
                       std::string path) {
  const std::string from = path_join(folder, path);
  TRY_ASSIGN(Blobs::Stored stored, blobs.put_file(from));
  // A blob that was there already may have been cut short since.
  TRY_ASSIGN(const Stat stat, files.look(blobs.path(stored.sha256)));
  if (stat.size != stored.size) {
    TRY(blobs.remove(stored.sha256));
    TRY_ASSIGN(stored, blobs.put_file(from));
  }
  return RunOutput{std::move(name), std::move(path), stored.size, stored.sha256.hex()};
}

Result<void> keep_folder(FileSystem& files, Blobs& blobs, const std::string& folder, const std::string& name,
                         const std::string& path, std::vector<RunOutput>& into) {
  WalkRequest request;
  request.top = path_join(folder, path);
  request.include = {"**"};
  request.links = Links::kFollow;
  TRY_ASSIGN(const Walked walked, walk(files, request));
  for (const WalkedFile& file : walked.files) {
    TRY_ASSIGN(RunOutput output,
               keep(files, blobs, folder, cat(name, "/", file.path), path_join(path, file.path)));
    into.push_back(std::move(output));
  }
  return {};
}

}  // namespace

Result<std::map<std::string, std::string>> declared_outputs(const Target& job) {
  std::map<std::string, std::string> outputs;
  const Value* declared = job.find("outputs");
  if (declared == nullptr || declared->table() == nullptr) return outputs;
  for (const auto& [name, value] : declared->table()->fields) {
    const std::optional<std::string> path = path_clean(*value.string());
    Location where = job.place_of("outputs");
    if (value.line != 0) where.line = value.line;
    if (name.empty() || name.find('/') != name.npos)
      return fail(user_error(cat("An output cannot be named ", quoted(name)),
                             "Its path may have folders, its name may not")
                      .at(where));
    if (!path || path->empty() || path->front() == '/') {
      return fail(user_error(cat("Output ", quoted(name),
                                 " is no path in the output folder: ", quoted(*value.string())),
                             "Write it as `model.npz` or `folder/model.npz`")
                      .at(where));
    }
    outputs[name] = *path;
  }
  return outputs;
}

Result<KeptOutputs> keep_outputs(FileSystem& files, Blobs& blobs, const std::string& folder,
                                 const std::map<std::string, std::string>& declared) {
  KeptOutputs kept;
  for (const auto& [name, path] : declared) {
    TRY_ASSIGN(const Stat stat, files.look(path_join(folder, path), Links::kFollow));
    const std::size_t before = kept.outputs.size();
    if (stat.is(FileKind::kFile)) {
      TRY_ASSIGN(RunOutput output, keep(files, blobs, folder, name, path));
      kept.outputs.push_back(std::move(output));
    } else if (stat.is(FileKind::kFolder)) {
      TRY(keep_folder(files, blobs, folder, name, path, kept.outputs));
    }
    if (kept.outputs.size() > before) continue;
    kept.missing = cat("output ", quoted(name), " (", printable(path), ") ",
                       stat.is(FileKind::kFolder) ? "is an empty folder" : "was not written");
    break;
  }
  std::sort(kept.outputs.begin(), kept.outputs.end(),
            [](const RunOutput& a, const RunOutput& b) { return a.name < b.name; });
  return kept;
}

Artifacts artifacts_of(const std::vector<RunOutput>& outputs) {
  Artifacts artifacts;
  for (const RunOutput& output : outputs)
    artifacts.push_back(
        {output.name, output.sha256, output.sha256, output.bytes, cat("blob:", output.sha256)});
  return artifacts;
}

Result<bool> are_kept(FileSystem& files, const Blobs& blobs, const Artifacts& artifacts,
                      std::vector<std::pair<std::string, Stat>>& looked_at) {
  for (const Artifact& artifact : artifacts) {
    const std::optional<Sha256> digest = Sha256::parse(artifact.sha256);
    if (!digest) return false;
    const std::string path = blobs.path(*digest);
    TRY_ASSIGN(const Stat stat, files.look(path));
    looked_at.emplace_back(path, stat);
    if (!stat.is(FileKind::kFile) || stat.size != artifact.size) return false;
  }
  return true;
}

Result<void> copy_outputs(Blobs& blobs, const Run& run, const std::string& folder) {
  for (const RunOutput& output : run.outputs) {
    const std::optional<Sha256> digest = Sha256::parse(output.sha256);
    bool copied = false;
    if (digest) {
      TRY_ASSIGN(copied, blobs.copy_out(*digest, path_join(folder, output.path), {}));
    }
    if (!copied) {
      return fail(step_error(cat("Output ", quoted(output.name), " of run ", quoted(run.id),
                                 " is no longer in the cache, or damaged"),
                             cat("`trainmake ", run.label.text(), "` makes it again")));
    }
  }
  return {};
}

}  // namespace trainmake
