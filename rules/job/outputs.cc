#include "rules/job/outputs.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/base/walk.h"

namespace trainmake {
namespace {

Result<RunOutput> keep(FileSystem& files, Blobs& blobs, const std::string& folder, std::string name,
                       std::string path, const std::stop_token& stop) {
  const std::string from = path_join(folder, path);
  TRY_ASSIGN(Blobs::Stored stored, blobs.put_file(from, stop));
  // A blob that was there already may have been cut short since.
  TRY_ASSIGN(const Stat stat, files.look(blobs.path(stored.sha256)));
  if (stat.size != stored.size) {
    TRY(blobs.remove(stored.sha256));
    TRY_ASSIGN(stored, blobs.put_file(from, stop));
  }
  return RunOutput{std::move(name), std::move(path), stored.size, stored.sha256.hex()};
}

// What lies at a declared output's path.
struct Left {
  FileKind kind = FileKind::kNone;
  std::vector<std::string> files;  // paths in the output folder
};

// Each file has been opened, and nothing was written: an error lies in what was left, or in the machine.
Result<Left> find(FileSystem& files, const std::string& folder, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path_join(folder, path), Links::kFollow));
  Left left{stat.kind, {}};
  if (stat.is(FileKind::kFile)) left.files.push_back(path);
  if (stat.is(FileKind::kFolder)) {
    WalkRequest request;
    request.top = path_join(folder, path);
    request.include = {"**"};
    request.links = Links::kFollow;
    TRY_ASSIGN(const Walked walked, walk(files, request));
    for (const WalkedFile& file : walked.files) left.files.push_back(path_join(path, file.path));
  }
  for (const std::string& file : left.files) TRY(files.open(path_join(folder, file)));
  return left;
}

std::string why_nothing(FileKind kind) {
  if (kind == FileKind::kFolder) return "is an empty folder";
  return kind == FileKind::kOther ? "is neither a file nor a folder" : "was not written";
}

}  // namespace

std::map<std::string, std::string> declared_outputs(const Target& job) {
  std::map<std::string, std::string> outputs;
  for (const auto& [name, value] : job.fields("outputs")) {
    const std::optional<std::string> path = path_clean(*value.string());
    CHECK(path);
    outputs[name] = *path;
  }
  return outputs;
}

std::vector<Error> wrong_outputs(const Value& declared) {
  std::vector<Error> errors;
  for (const auto& [name, value] : declared.table()->fields) {
    const std::optional<std::string> path = path_clean(*value.string());
    if (name.empty() || name.find('/') != name.npos) {
      errors.push_back(user_error(cat("An output cannot be named ", quoted(name)),
                                  "Its path may have folders, its name may not")
                           .at({"", value.line}));
    }
    if (!path || path->empty() || path->front() == '/') {
      errors.push_back(user_error(cat("Output ", quoted(name),
                                      " is no path in the output folder: ", quoted(*value.string())),
                                  "Write it as `model.npz` or `folder/model.npz`")
                           .at({"", value.line}));
    }
  }
  return errors;
}

Result<KeptOutputs> keep_outputs(FileSystem& files, Blobs& blobs, const std::string& folder,
                                 const std::map<std::string, std::string>& declared,
                                 const std::stop_token& stop) {
  KeptOutputs kept;
  for (const auto& [name, path] : declared) {
    const std::string shown = cat("output ", quoted(name), " (", printable(path), ") ");
    auto left = find(files, folder, path);
    // What another try would not find otherwise; trouble of the machine passes.
    if (!left && left.error().blame == Blame::kUser) {
      kept.wrong = cat(shown, "cannot be kept: ", left.error().message,
                       "; let the job leave files, or links to files, that can be read");
      break;
    }
    if (!left) return fail(std::move(left).error());
    if (left->files.empty()) {
      kept.wrong = cat(shown, why_nothing(left->kind));
      break;
    }
    for (std::string& file : left->files) {
      const std::string below(*path_below(file, path));
      TRY_ASSIGN(RunOutput output, keep(files, blobs, folder, path_join(name, below), std::move(file), stop));
      kept.outputs.push_back(std::move(output));
    }
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

Result<void> copy_outputs(Blobs& blobs, const Run& run, const std::string& label, const std::string& folder) {
  for (const RunOutput& output : run.outputs) {
    const std::optional<Sha256> digest = Sha256::parse(output.sha256);
    bool copied = false;
    if (digest) {
      TRY_ASSIGN(copied, blobs.copy_out(*digest, path_join(folder, output.path), {}));
    }
    if (!copied) {
      return fail(step_error(cat("Output ", quoted(output.name), " of run ", quoted(run.id),
                                 " is no longer in the cache, or damaged"),
                             cat("`trainmake ", shell_word(label), "` makes it again")));
    }
  }
  return {};
}

}  // namespace trainmake
