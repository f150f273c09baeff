// `import uai DIR|COMMAND`: a project of UAI-Train's scripts, or a command line of its tools, as a
// TRAINFILE.lua and a TRAINSPACE.lua. Reads alone: nothing of it is run, and no key is written.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/shell_words.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/lua_text.h"
#include "engine/cli/old_project_text.h"
#include "lua/load.h"
#include "rules/job/platforms/uai/uhub.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTellingSize = 8;  // of a key; what is shorter stands in other texts by chance

// Where the files go, and where they are read, as they were typed.
struct Folders {
  std::string from;  // "" of a command
  std::string to;
};

std::string typed_from(const CommandLine& line, const std::string& path) {
  return absolute_path(path_join(absolute_path(line.value("--directory").value_or("")), path));
}

Result<OldProject> read_scripts(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const std::optional<std::string> config,
             read_file_if_there(files, path_join(folder, "configall.sh")));
  if (!config)
    return fail(user_error(cat("There is no `configall.sh` in ", quoted(folder)),
                           "Name a project of UAI-Train's scripts, or a command of its tools in '...'"));
  TRY_ASSIGN(const std::optional<std::string> lines,
             read_file_if_there(files, path_join(folder, "edit_image_cmd.txt")));
  return read_old_scripts(*config, lines.value_or(""));
}

Result<bool> is_folder_at(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path, Links::kFollow));
  return stat.is(FileKind::kFolder);
}

// One word is a folder, or a whole command; several are a command that a shell has split. What may be a
// command is never shown: keys stand in it.
Result<OldProject> read_project(const CommandLine& line, FileSystem& files, Folders& folders) {
  const std::vector<std::string> words(line.words.begin() + 1, line.words.end());
  folders.to = line.value("--to").value_or("");
  if (words.size() > 1) {
    const bool has_ours = std::any_of(words.begin(), words.end(), [](const std::string& word) {
      return word == "--to" || word.starts_with("--to=");
    });
    if (has_ours)
      return fail(
          user_error("`--to` stands behind the command, where it would be the tool's",
                     "Write it in front, as `trainmake import uai --to DIR python caffe_tool.py pack ...`"));
    return read_old_command(words);
  }
  const std::string& typed = words.front();
  if (is_old_command(typed)) return read_old_commands(typed);
  const std::string folder = typed_from(line, typed);
  const Result<bool> is_there = is_folder_at(files, folder);
  if (!is_there || !*is_there) {
    const bool is_name = typed.find_first_of(" \t\n=") == typed.npos;
    return fail(
        user_error(cat("There is no folder ", is_name ? quoted(typed) : std::string("of that name"),
                       ", and it is no command of UAI-Train's tools"),
                   "As `trainmake import uai old/mnist`, or `trainmake import uai 'python caffe_tool.py pack "
                   "--code_path=./code/ ...'`"));
  }
  folders.from = typed;
  if (!line.has("--to")) folders.to = folders.from;
  return read_scripts(files, folder);
}

// All that is written or said, and what the arguments in it are to whoever splits them.
std::vector<std::string> told_texts(const OldProject& project, const OldProjectText& text) {
  std::vector<std::string> texts = {text.trainfile, text.trainspace};
  texts.insert(texts.end(), text.lost.begin(), text.lost.end());
  const auto name = [](std::string_view variable) { return std::optional(std::string(variable)); };
  for (const std::string* line : {&project.train_params, &project.python_line}) {
    if (const auto words = shell_words(*line, {.variable = name, .keeps_patterns = true}))
      texts.insert(texts.end(), words->begin(), words->end());
  }
  return texts;
}

// A key may stand in what was carried over, too: as it is, or as Lua writes it.
Result<void> refuse_keys(const OldProject& project, const OldProjectText& text) {
  const std::vector<std::string> texts = told_texts(project, text);
  for (const auto& [name, value] : project.credentials) {
    if (value.size() < kTellingSize) continue;
    Value key;
    key.data = value;
    const std::string in_lua = lua_text(key), escaped = in_lua.substr(1, in_lua.size() - 2);
    const bool is_told = std::any_of(texts.begin(), texts.end(), [&, &bare = value](const std::string& each) {
      return each.find(bare) != each.npos || each.find(escaped) != each.npos;
    });
    if (is_told)
      return fail(user_error(
          cat("What ", quoted(name), " says stands in another value, too, and no key is written to a file"),
          "Take it out there; a job reads keys from its data"));
  }
  return {};
}

// What is there may be of a `pack` whose `create` this is, or somebody's own by now: to that, people add.
Error is_there_already(const std::string& name, const std::string& folder) {
  return user_error(cat("There is a ", quoted(name), " in ", quoted(folder),
                        " already, and `trainmake import` never overwrites: nothing was written"),
                    "Add what it lacks of the lines that are printed, or choose another folder with `--to "
                    "DIR`; a `pack` and its `create` in one '...', with `&&` in between, make one file");
}

Result<void> write_new(FileSystem& files, const std::string& folder, const OldProjectText& text,
                       bool prints) {
  for (const char* name : {kTrainfile, kTrainspace}) {
    TRY_ASSIGN(const Stat stat, files.look(path_join(folder, name)));
    if (!stat.exists()) continue;
    if (prints)
      write_stdout(cat("-- ", kTrainfile, "\n", text.trainfile, "\n-- ", kTrainspace, "\n", text.trainspace));
    return fail(is_there_already(name, folder));
  }
  TRY(write_file(files, path_join(folder, kTrainfile), text.trainfile));
  return write_file(files, path_join(folder, kTrainspace), text.trainspace);
}

// What a plan would stop at.
Result<std::vector<std::string>> missing_in(FileSystem& files, const std::string& folder,
                                            const OldProject& project, const OldProjectText& text) {
  std::vector<std::string> missing;
  for (const std::string& path : text.files) {
    TRY_ASSIGN(const Stat stat, files.look(path_join(folder, path), Links::kFollow));
    if (!stat.exists()) missing.push_back(path);
  }
  if (project.registry.empty() && project.packed_image.empty())
    missing.push_back(cat("`registry` in ", kTrainspace));
  const bool has_base =
      !project.packed_image.empty() || !project.cpu_base.empty() || !project.gpu_base.empty();
  if (!has_base && project.arch.empty()) missing.push_back(cat("`arch` of `uai.base` in ", kTrainfile));
  if (!text.names_place) missing.push_back(cat("`bucket` in ", kTrainspace));
  return missing;
}

void report(const CommandLine& line, const Folders& folders, const OldProject& project,
            const OldProjectText& text, const std::vector<std::string>& missing) {
  std::vector<std::string> credentials;
  for (const auto& [name, value] : project.credentials) credentials.push_back(printable(name));
  if (line.has("--json")) {
    const Json json = {{"folder", printable(folders.to.empty() ? "." : folders.to)},
                       {"name", text.name},
                       {"files", {kTrainfile, kTrainspace}},
                       {"credentials", credentials},
                       {"lost", text.lost},
                       {"missing", missing}};
    write_stdout(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return;
  }
  write_stderr(cat("Made ", printable(path_join(folders.to, kTrainfile)), " and ",
                   printable(path_join(folders.to, kTrainspace)), "\n"));
  if (!credentials.empty())
    write_stderr(
        cat("Left out, as no file has keys: ", join(credentials, ", "),
            ". Set UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, and log in to UHub with `trainmake login ",
            project.internal_uhub ? kUhubInside : kUhubOutside,
            "`; keys that others may have seen are best made anew\n"));
  for (const std::string& sentence : text.lost) write_stderr(cat("Not carried over: ", sentence, "\n"));
  if (!folders.from.empty() && folders.to != folders.from)
    write_stderr(cat("Code and data still lie in ", printable(folders.from),
                     ": TRAINFILE.lua looks for them beside itself\n"));
  if (!missing.empty()) write_stderr(cat("Still missing: ", join(missing, ", "), "\n"));
  write_stderr(cat(missing.empty() ? "Next" : "Then", ": trainmake plan job:", text.name, "\n"));
}

}  // namespace

Result<int> import_command(const CommandLine& line, const Environment& environment) {
  if (line.words.size() < 2 || line.words.front() != "uai" || line.words[1].empty())
    return fail(user_error("`trainmake import` needs `uai`, and a folder or a command",
                           "As `trainmake import uai old/mnist`"));
  const Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  Folders folders;
  TRY_ASSIGN(const OldProject project, read_project(line, host.files, folders));
  const OldProjectText text = text_of(project);
  TRY(refuse_keys(project, text));
  TRY(write_new(host.files, typed_from(line, folders.to), text, !line.has("--json")));
  TRY_ASSIGN(const std::vector<std::string> missing,
             missing_in(host.files, typed_from(line, folders.to), project, text));
  report(line, folders, project, text, missing);
  return 0;
}

}  // namespace trainmake
