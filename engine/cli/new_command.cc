// `new NAME`: a project that builds and runs as it is. Its files are those of templates/, put into the
// program by CMakeLists.txt, with `@NAME@` filled in.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "lua/load.h"
#include "lua/types.h"
#include "rules/all.h"

namespace trainmake {

extern const char kBasicTrainfile[];
extern const char kBasicTrain[];
extern const char kBasicPoints[];
extern const char kBasicGitignore[];

namespace {

constexpr const char* kTypesFolder = ".luals";

struct NewFile {
  std::string path;
  std::string text;
};

// A name that targets, images and tags may have: what cannot stand in one becomes `-`.
std::string target_name(std::string_view folder) {
  std::string name;
  for (const char c : folder) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool fits = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (fits)
      name += lower;
    else if (!name.empty() && name.back() != '-')
      name += lower == '_' ? '_' : '-';
  }
  name.resize(std::min<std::size_t>(name.size(), 100));
  while (name.ends_with('-') || name.ends_with('_')) name.pop_back();
  return name.empty() ? "project" : name;
}

std::vector<NewFile> basic_files(const std::string& name) {
  std::string trainfile = kBasicTrainfile;
  constexpr std::string_view kMark = "@NAME@";
  for (std::size_t at = trainfile.find(kMark); at != std::string::npos; at = trainfile.find(kMark, at))
    trainfile.replace(at, kMark.size(), name);
  return {{kTrainfile, std::move(trainfile)},
          {"code/train.py", kBasicTrain},
          {"data/points.csv", kBasicPoints},
          {".gitignore", kBasicGitignore},
          {".luarc.json", luarc_json(kTypesFolder)},
          {path_join(kTypesFolder, "trainmake.lua"), luals_types(all_schemas())}};
}

// A .gitignore that is there already stays; anything else is not ours to replace.
Result<void> refuse_to_overwrite(FileSystem& files, const std::string& folder, std::vector<NewFile>& wanted) {
  for (const NewFile& file : wanted) {
    TRY_ASSIGN(const Stat stat, files.look(path_join(folder, file.path)));
    if (stat.exists() && file.path != ".gitignore") {
      return fail(user_error(cat("There is a ", quoted(file.path), " in ", quoted(folder), " already"),
                             "`trainmake new` never overwrites; choose another name"));
    }
  }
  TRY_ASSIGN(const Stat ignore, files.look(path_join(folder, ".gitignore")));
  if (ignore.exists()) std::erase_if(wanted, [](const NewFile& file) { return file.path == ".gitignore"; });
  return {};
}

// In a workspace its targets must have labels.
Result<void> check_folder(const Host& host, const std::string& folder) {
  const Result<Position> around = find_workspace(host, std::string(path_folder(folder)), "");
  if (!around) return {};
  const std::string& root = around->workspace.root;
  TRY_ASSIGN(const Stat space, host.files.look(path_join(root, kTrainspace), Links::kFollow));
  const std::optional<std::string> inside = path_below(folder, root);
  if (!space.exists() || !inside) return {};
  if (const auto label = parse_label(cat("//", *inside, "/job:x"), ""); !label)
    return fail(user_error(
        cat("A project of this workspace cannot lie in ", quoted(*inside), ": ", label.error().message),
        "Choose another name"));
  return {};
}

Result<void> check_template(const CommandLine& line) {
  const std::string name = line.value("--template").value_or("basic");
  if (name == "basic") return {};
  return fail(user_error(cat("There is no template ", quoted(name), ": expected `basic`")));
}

void report(const CommandLine& line, const std::string& folder, const std::string& name,
            const std::vector<NewFile>& files) {
  if (line.has("--json")) {
    nlohmann::ordered_json json = {
        {"folder", printable(folder)}, {"name", name}, {"files", nlohmann::ordered_json::array()}};
    for (const NewFile& file : files) json["files"].push_back(file.path);
    write_stdout(json.dump() + "\n");
    return;
  }
  const std::string given = path_join(line.value("--directory").value_or(""), line.words.front());
  write_stderr(
      cat("Made ", printable(path_join(given, kTrainfile)), ", with code and data to begin with. Next:\n\n"));
  if (folder != current_folder()) write_stderr(cat("  cd ", shell_word(given), "\n"));
  write_stderr(cat("  trainmake plan job:", name, "    what would happen\n  trainmake job:", name,
                   "         do it\n"));
}

// A project around it that is no workspace does not know of it.
void tell_of_project_around(const Host& host, const std::string& folder) {
  const Result<Position> around = find_workspace(host, std::string(path_folder(folder)), "");
  if (!around) return;
  const Workspace& workspace = around->workspace;
  const Result<Stat> space = host.files.look(path_join(workspace.root, kTrainspace), Links::kFollow);
  const Result<Stat> file = host.files.look(path_join(workspace.root, kTrainfile), Links::kFollow);
  if (!space || space->exists() || !file || !file->exists()) return;
  write_stderr(cat("\nIt is a workspace of its own. `touch ",
                   shell_word(path_join(workspace.root, kTrainspace)),
                   "` makes one of both, with one state and labels from one to the other.\n"));
}

}  // namespace

Result<int> new_command(const CommandLine& line, const Environment& environment) {
  if (line.words.size() != 1 || line.words.front().empty()) {
    return fail(user_error("`trainmake new` needs one name", "As `trainmake new first`"));
  }
  TRY(check_template(line));
  const Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  const std::string folder =
      absolute_path(path_join(line.value("--directory").value_or(""), line.words.front()));
  const std::string name = target_name(path_name(folder));
  TRY(check_folder(host, folder));
  std::vector<NewFile> files = basic_files(name);
  TRY(refuse_to_overwrite(host.files, folder, files));
  for (const NewFile& file : files) TRY(write_file(host.files, path_join(folder, file.path), file.text));
  report(line, folder, name, files);
  if (!line.has("--json")) tell_of_project_around(host, folder);
  return 0;
}

}  // namespace trainmake
