// `new NAME`: a project that builds and runs as it is. Its files are those of templates/, put into the
// program by CMakeLists.txt, with `@NAME@` filled in.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/target_name.h"
#include "engine/cli/templates.h"
#include "lua/load.h"
#include "lua/types.h"
#include "rules/all.h"
#include "rules/job/contracts.h"

namespace trainmake {
namespace {

constexpr const char* kTypesFolder = ".luals";

struct NewFile {
  std::string path;
  std::string text;
};

std::string filled(std::string text, const Words& words) {
  for (const auto& [mark, value] : words) {
    for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + value.size()))
      text.replace(at, mark.size(), value);
  }
  return text;
}

std::vector<NewFile> filled_in(const Template& chosen, const std::string& name, const std::string& trial) {
  std::string dashed = name;  // a bucket's name has no `_`
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  Words words = chosen.words;
  words.emplace_back("@NAME@", name);
  words.emplace_back("@DASHED@", dashed);
  words.emplace_back("@TRY@", trial);
  std::vector<NewFile> files;
  for (const TemplateFile& file : files_of(chosen)) files.push_back({file.path, filled(file.text, words)});
  return files;
}

// What editors are told of a TRAINFILE.
void add_types(std::vector<NewFile>& files) {
  files.push_back({".luarc.json", luarc_json(kTypesFolder)});
  files.push_back({path_join(kTypesFolder, "trainmake.lua"), luals_types(all_schemas())});
  for (const LuaModule& module : all_lua_modules())
    files.push_back({path_join(kTypesFolder, cat(module.name, ".lua")), module.text});
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

// The root of the workspace with a TRAINSPACE.lua that it lies in, where its targets must have labels.
Result<std::optional<std::string>> workspace_around(const Host& host, const std::string& folder) {
  const Result<Position> around = find_workspace(host, std::string(path_folder(folder)), "");
  if (!around) return std::optional<std::string>();
  const std::string& root = around->workspace.root;
  TRY_ASSIGN(const Stat space, host.files.look(path_join(root, kTrainspace), Links::kFollow));
  const std::optional<std::string> inside = path_below(folder, root);
  if (!space.exists() || !inside) return std::optional<std::string>();
  if (const auto label = parse_label(cat("//", *inside, "/job:x"), ""); !label)
    return fail(user_error(
        cat("A project of this workspace cannot lie in ", quoted(*inside), ": ", label.error().message),
        "Choose another name"));
  return std::optional(root);
}

// What is typed to try a job here as UAI-Train runs it: where that is not the usual platform, it is named.
std::string trial_of(const Host& host, const std::optional<std::string>& workspace, const std::string& name) {
  constexpr const char* kContract = "uai";
  const std::string contract = [&]() -> std::string {
    if (!workspace) return kContract;
    const Space space = load_space(host, *workspace);
    return usual_contract_of(space.find("platform", space.default_platform));
  }();
  return cat("trainmake run --local", contract == kContract ? "" : cat(" --contract ", kContract),
             " job:", name);
}

Result<const Template*> chosen_template(const CommandLine& line) {
  const std::string name = line.value("--template").value_or("basic");
  for (const Template& each : templates()) {
    if (each.name == name) return &each;
  }
  const std::vector<std::string> names = template_names();
  const std::string meant = did_you_mean(name, names);
  return fail(user_error(cat("There is no template ", quoted(name)),
                         meant.empty() ? cat("There are ", join(names, ", ")) : meant));
}

void report(const CommandLine& line, const std::string& folder, const std::string& name,
            const std::vector<NewFile>& files, const std::string& trial) {
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
  if (!trial.empty()) write_stderr(cat("  ", trial, "    try it on this machine\n"));
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
  TRY_ASSIGN(const Template* chosen, chosen_template(line));
  const Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  const std::string folder =
      absolute_path(path_join(line.value("--directory").value_or(""), line.words.front()));
  const std::string name = target_name(path_name(folder));
  TRY_ASSIGN(const std::optional<std::string> workspace, workspace_around(host, folder));
  const std::string trial = chosen->name.starts_with("uai-") ? trial_of(host, workspace, name) : "";
  std::vector<NewFile> files = filled_in(*chosen, name, trial);
  const bool left_out_space =
      std::erase_if(files, [&](const NewFile& file) { return workspace && file.path == kTrainspace; }) > 0;
  add_types(files);
  TRY(refuse_to_overwrite(host.files, folder, files));
  for (const NewFile& file : files) TRY(write_file(host.files, path_join(folder, file.path), file.text));
  report(line, folder, name, files, trial);
  if (line.has("--json")) return 0;
  tell_of_project_around(host, folder);
  if (left_out_space)
    write_stderr(
        "\nIt is of the workspace around it, whose TRAINSPACE.lua says where it runs: see `trainmake help "
        "uai`\n");
  return 0;
}

}  // namespace trainmake
