#include "rules/job/outputs.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/base/walk.h"

namespace trainmake {
namespace {

Result<RunOutput> keep(const LeftFiles& left, Blobs& blobs, std::string name, std::string path,
                       const std::string& from, const std::stop_token& stop) {
  TRY_ASSIGN(Blobs::Stored stored, blobs.put_file(from, stop));
  // A blob that was there already may have been cut short since.
  TRY_ASSIGN(const Stat stat, left.files().look(blobs.path(stored.sha256)));
  if (stat.size != stored.size) {
    TRY(blobs.remove(stored.sha256));
    TRY_ASSIGN(stored, blobs.put_file(from, stop));
  }
  return RunOutput{std::move(name), std::move(path), stored.size, stored.sha256.hex()};
}

struct OutputFile {
  std::string path;  // in the output folder
  std::string at;    // on this machine
};

// What lies at a declared output's path. Links in it are read through: each file has the names of all of
// them.
class Search {
 public:
  explicit Search(const LeftFiles& left) : left_(left) {}

  // Each file has been opened, and nothing was written: an error lies in what was left, or in the machine.
  Result<void> take(const std::string& path) {
    TRY_ASSIGN(const LeftFiles::Found found, left_.find(path));
    kind = found.stat.kind;
    if (kind == FileKind::kFile) files.push_back({path, found.at});
    if (kind == FileKind::kFolder) TRY(take_folder(path, found.at));
    for (const OutputFile& file : files) TRY(left_.files().open(file.at));
    return {};
  }

  FileKind kind = FileKind::kNone;
  std::vector<OutputFile> files;

 private:
  Result<void> take_folder(const std::string& path, const std::string& at) {
    WalkRequest request;
    request.top = at;
    request.include = {"**"};
    request.all_names = true;
    TRY_ASSIGN(const Walked walked, walk(left_.files(), request));
    for (const WalkedFile& file : walked.files) {
      OutputFile one{path_join(path, file.path), path_join(at, file.path)};
      if (file.stat.is(FileKind::kLink))
        TRY(take_link(one));
      else
        files.push_back(std::move(one));
    }
    return {};
  }

  Result<void> take_link(const OutputFile& link) {
    auto found = left_.find(link.path);
    const auto refused = [&](std::string_view why) {
      return fail(user_error(cat("Link ", quoted(link.path), " ", why)));
    };
    if (!found) {
      Error error = std::move(found).error();
      error.message = cat("Link ", quoted(link.path), ": ", error.message);
      return fail(std::move(error));
    }
    if (!found->stat.exists()) return refused("leads to nothing");
    if (found->stat.is(FileKind::kFile)) files.push_back({link.path, found->at});
    if (!found->stat.is(FileKind::kFolder)) return {};
    if (!left_.is_written(found->at)) return refused("leads to a folder that is not the job's own");
    links_.push_back(link.at);
    const bool is_loop = std::any_of(links_.begin(), links_.end(), [&](const std::string& followed) {
      return path_below(followed, found->at).has_value();
    });
    if (is_loop) return refused("leads to a folder that it lies in");
    TRY(take_folder(link.path, found->at));
    links_.pop_back();
    return {};
  }

  const LeftFiles& left_;
  std::vector<std::string> links_;  // on this machine, that led to where the search is
};

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

Fingerprint work_of_job(const Manifest& manifest) {
  Manifest work;
  for (const ManifestLine& line : manifest.lines()) {
    const bool is_output = line.section == Section::kAttr && line.name.starts_with("outputs.");
    if (!is_output) work.add(line.section, line.name, line.digest);
  }
  work.seal();
  return work.fingerprint();
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

Result<KeptOutputs> keep_outputs(const LeftFiles& left, Blobs& blobs,
                                 const std::map<std::string, std::string>& declared,
                                 const std::stop_token& stop) {
  KeptOutputs kept;
  for (const auto& [name, path] : declared) {
    const std::string shown = cat("output ", quoted(name), " (", printable(path), ") ");
    Search search(left);
    const Result<void> taken = search.take(path);
    // What another try would not find otherwise; trouble of the machine passes.
    if (!taken && taken.error().blame == Blame::kUser) {
      kept.wrong = cat(shown, "cannot be kept: ", taken.error().message,
                       "; let the job leave files, or links to files of its own, that can be read");
      break;
    }
    TRY(taken);
    if (search.files.empty()) {
      kept.wrong = cat(shown, why_nothing(search.kind));
      kept.is_missing = search.kind == FileKind::kNone;
      break;
    }
    for (OutputFile& file : search.files) {
      const std::string below(*path_below(file.path, path));
      TRY_ASSIGN(RunOutput output,
                 keep(left, blobs, path_join(name, below), std::move(file.path), file.at, stop));
      kept.outputs.push_back(std::move(output));
    }
  }
  std::sort(kept.outputs.begin(), kept.outputs.end(),
            [](const RunOutput& a, const RunOutput& b) { return a.name < b.name; });
  return kept;
}

Result<std::vector<std::string>> paths_in(const LeftFiles& left) {
  std::vector<std::string> paths;
  TRY_ASSIGN(const LeftFiles::Found folder, left.find(""));
  if (!folder.stat.is(FileKind::kFolder)) return paths;
  WalkRequest request;
  request.top = folder.at;
  request.include = {"**"};
  request.all_names = true;
  TRY_ASSIGN(const Walked walked, walk(left.files(), request));
  for (const WalkedFile& file : walked.files) paths.push_back(file.path);
  return paths;
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

Result<void> copy_outputs(Blobs& blobs, const Run& run, const std::string& again, const std::string& folder) {
  for (const RunOutput& output : run.outputs) {
    const std::optional<Sha256> digest = Sha256::parse(output.sha256);
    bool copied = false;
    if (digest) {
      TRY_ASSIGN(copied, blobs.copy_out(*digest, path_join(folder, output.path), {}));
    }
    if (!copied) {
      return fail(step_error(cat("Output ", quoted(output.name), " of run ", quoted(run.id),
                                 " is no longer in the cache, or damaged"),
                             cat("`trainmake ", again, "` makes it again")));
    }
  }
  return {};
}

}  // namespace trainmake
