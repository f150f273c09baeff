#include "engine/cli/pack_context.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/code/code_rule.h"
#include "rules/image/ingredients.h"
#include "rules/image/services.h"

namespace trainmake {
namespace {

constexpr std::string_view kCompiled = "__pycache__";  // what Python makes of the code is no stranger

const ListedFile* find_key(const Listing& files, std::string_view key) {
  const auto found =
      std::lower_bound(files.begin(), files.end(), key,
                       [](const ListedFile& file, std::string_view wanted) { return file.key < wanted; });
  return found == files.end() || found->key != key ? nullptr : &*found;
}

// The first file below `folder` that is none of `files`; "" when there is none.
Result<std::string> find_stranger(FileSystem& disk, const std::string& folder, const Listing& files,
                                  const std::string& below = "") {
  TRY_ASSIGN(const std::vector<FolderEntry> entries, disk.list(path_join(folder, below)));
  for (const FolderEntry& entry : entries) {
    const std::string key = path_join(below, entry.name);
    if (entry.kind != FileKind::kFolder) {
      if (find_key(files, key) == nullptr) return key;
    } else if (entry.name != kCompiled) {
      TRY_ASSIGN(std::string stranger, find_stranger(disk, folder, files, key));
      if (!stranger.empty()) return stranger;
    }
  }
  return std::string();
}

const Target& needed(const Graph& graph, const Target& target, std::string_view attribute) {
  const auto need = std::find_if(target.needs.begin(), target.needs.end(),
                                 [&](const Dependency& each) { return each.attribute == attribute; });
  CHECK(need != target.needs.end());
  return graph[need->target];
}

Result<void> refuse_copies_among_sources(Session& session, const PackContext& context,
                                         const std::string& to) {
  for (const PackCopy& copy : context.copies) {
    for (const ListedFile& file : copy.files) {
      if (!path_below(session.workspace().path(file.source), path_join(to, copy.name))) continue;
      return fail(user_error(cat("The job takes ", quoted(file.source), ", which an export has left there"),
                             "Let its patterns leave that folder out, or choose one outside of them"));
    }
  }
  return {};
}

bool is_below(Session& session, const Listing& files, const std::string& folder) {
  return std::all_of(files.begin(), files.end(), [&](const ListedFile& file) {
    return session.workspace().path(file.source) == path_join(folder, file.key);
  });
}

Result<bool> is_there_as_it_is(Session& session, const PackCopy& copy, const std::string& folder) {
  FileSystem& disk = session.host().files;
  TRY_ASSIGN(const std::string stranger, find_stranger(disk, folder, copy.files));
  if (!stranger.empty()) return false;
  for (const ListedFile& file : copy.files) {
    const std::string path = path_join(folder, file.key);
    TRY_ASSIGN(const Stat stat, disk.look(path));
    if (stat.is(FileKind::kLink) != !file.link_target.empty() || !stat.exists()) return false;
    if (stat.is(FileKind::kLink)) {
      TRY_ASSIGN(const std::string target, disk.read_link(path));
      if (target != file.link_target) return false;
      continue;
    }
    if (stat.size != file.size) return false;
    TRY_ASSIGN(const std::string there, read_file(disk, path));
    TRY_ASSIGN(const std::string here, read_file(disk, session.workspace().path(file.source)));
    if (there != here) return false;
  }
  return true;
}

}  // namespace

Result<PackContext> pack_context_of(const Call& call, const Graph& graph, const Target& job,
                                    const std::string& to, PackOrder& order) {
  Session& session = call.session;
  const Target& image = needed(graph, job, "image");
  TRY_ASSIGN(const ImageServices services, session.image_services());
  TRY_ASSIGN(FileSet code, code_files(services.file_sets, needed(graph, image, "code")));
  Looks looks;
  TRY_ASSIGN(FileTrees trees, file_trees(services, image, looks));
  CHECK(trees.size() == order.folders.size());

  PackContext context;
  context.code = code.files;
  std::vector<std::string*> typed = {&order.code_path};
  context.copies.push_back({"uaitrain-code", std::move(code.files)});
  for (std::size_t i = 0; i < trees.size(); ++i) {
    typed.push_back(&order.folders[i].from);
    context.copies.push_back({cat("uaitrain-files-", i + 1), std::move(trees[i].files)});
  }
  TRY(refuse_copies_among_sources(session, context, to));
  const std::string project = session.workspace().path(job.label.folder);
  for (std::size_t i = 0; i < typed.size() && context.stranger.empty(); ++i) {
    const std::string folder = path_join(project, path_clean(*typed[i]).value_or(""));
    const Listing& files = context.copies[i].files;
    CHECK(is_below(session, files, folder));
    TRY_ASSIGN(const std::string stranger, find_stranger(session.host().files, folder, files));
    if (!stranger.empty()) context.stranger = path_join(path_clean(*typed[i]).value_or(""), stranger);
  }
  if (context.stranger.empty()) {
    context.copies.clear();
    return context;
  }
  for (std::size_t i = 0; i < typed.size(); ++i) *typed[i] = cat("./", context.copies[i].name, "/");
  return context;
}

Result<void> check_copies(Session& session, const PackContext& context, const std::string& to) {
  for (const PackCopy& copy : context.copies) {
    const std::string folder = path_join(to, copy.name);
    TRY_ASSIGN(const Stat stat, session.host().files.look(folder));
    if (!stat.exists() || session.line().has("--overwrite")) continue;
    TRY_ASSIGN(const bool same,
               stat.is(FileKind::kFolder) ? is_there_as_it_is(session, copy, folder) : false);
    if (!same)
      return fail(user_error(cat("There is another ", quoted(copy.name), " in ", quoted(to), " already"),
                             "`--overwrite` replaces it"));
  }
  return {};
}

Result<void> write_copies(const Call& call, const PackContext& context, const std::string& to) {
  Session& session = call.session;
  FileSystem& disk = session.host().files;
  for (const PackCopy& copy : context.copies) {
    const std::string folder = path_join(to, copy.name);
    TRY(disk.remove(folder));
    for (const ListedFile& file : copy.files) {
      const std::string path = path_join(folder, file.key);
      TRY(disk.make_folder(std::string(path_folder(path))));
      if (!file.link_target.empty()) {
        TRY(disk.make_link(file.link_target, path));
        continue;
      }
      TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, disk.create(path, {.mode = file.mode}));
      TRY(read_pieces(disk, session.workspace().path(file.source), call.stop,
                      [&](std::string_view piece) { return writer->append(piece); }));
      TRY(writer->commit());
    }
  }
  return {};
}

}  // namespace trainmake
