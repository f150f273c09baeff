// The scripts' files: configall.sh, which a shell reads variables from, and edit_image_cmd.txt, which is put
// into a Dockerfile as it stands.
#include <algorithm>

#include "engine/base/letter_case.h"
#include "engine/base/shell_words.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "rules/job/platforms/uai/old/old_words.h"

namespace trainmake {
namespace {

constexpr const char* kConfig = "configall.sh";
constexpr const char* kImageLines = "edit_image_cmd.txt";
// trainmake makes such names itself.
constexpr std::string_view kNotNeeded[] = {"middle_image_cpu", "middle_image_gpu", "target_image_cpu",
                                           "target_image_gpu"};

using Variables = std::map<std::string, std::string, std::less<>>;

bool is_name(std::string_view text) {
  return !text.empty() && !(text.front() >= '0' && text.front() <= '9') &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
         });
}

// `name`, `name/_/-` (the first) and `name//_/-` (all). A credential goes nowhere else.
std::optional<std::string> expanded(const Variables& variables, std::string_view expression) {
  const std::size_t slash = expression.find('/');
  const auto found = variables.find(expression.substr(0, slash));
  if (found == variables.end() || is_credential(found->first)) return std::nullopt;
  if (slash == expression.npos) return found->second;
  std::string_view rule = expression.substr(slash + 1);
  const bool all = rule.starts_with('/');
  if (all) rule.remove_prefix(1);
  const std::size_t middle = rule.find('/');
  const std::string pattern(rule.substr(0, middle)),
      other(middle == rule.npos ? "" : rule.substr(middle + 1));
  if (pattern.empty() || pattern.find_first_of("*?[#%\\") != pattern.npos) return std::nullopt;
  std::string text = found->second;
  for (std::size_t at = text.find(pattern); at != text.npos; at = text.find(pattern, at + other.size())) {
    text.replace(at, pattern.size(), other);
    if (!all) break;
  }
  return text;
}

// `name=value`, with `export` in front perhaps; "" as its name is a line that says nothing.
std::optional<std::pair<std::string, std::string>> assignment_of(const Variables& variables,
                                                                 std::string_view line) {
  const auto variable = [&](std::string_view expression) { return expanded(variables, expression); };
  auto words = shell_words(line, {variable, true});
  if (!words) return std::nullopt;
  if (!words->empty() && words->front() == "export") words->erase(words->begin());
  if (words->empty()) return std::pair<std::string, std::string>();
  const std::size_t equals = words->front().find('=');
  if (words->size() != 1 || equals == std::string::npos || !is_name(words->front().substr(0, equals)))
    return std::nullopt;
  return std::pair(words->front().substr(0, equals), words->front().substr(equals + 1));
}

// What a line that is not understood may be called by: never what it says.
std::string name_in(std::string_view line) {
  line = trim(line);
  if (line.starts_with("export ")) line = trim(line.substr(7));
  const std::string_view name = line.substr(0, line.find('='));
  return is_name(name) && name.size() < line.size() ? cat(" (", quoted(name), ")") : "";
}

Variables variables_of(std::string_view configall, OldProject& project) {
  Variables variables;
  int number = 0;
  for (const std::string& line : split(configall, '\n')) {
    ++number;
    const auto assignment = assignment_of(variables, line);
    if (!assignment) {
      project.lost.push_back(
          cat(kConfig, ":", number, name_in(line), " is more than a value, and nothing of it is run"));
    } else if (!assignment->first.empty()) {
      variables[assignment->first] = assignment->second;
    }
  }
  return variables;
}

void take_command(const std::string& command, OldProject& project) {
  if (const auto taken = take_docker_cmd(command, project); !taken) {
    project.lost.push_back(cat("`docker_cmd` cannot be read: ", taken.error().message));
    return;
  }
  if (constexpr std::string_view kCode = "/data/"; project.main.starts_with(kCode))
    project.main.erase(0, kCode.size());
}

void take(const std::string& name, const std::string& value, OldProject& project) {
  constexpr std::pair<std::string_view, std::string OldProject::*> kTexts[] = {
      {"dirname", &OldProject::name},
      {"registry", &OldProject::registry},
      {"base_image_cpu", &OldProject::cpu_base},
      {"base_image_gpu", &OldProject::gpu_base},
      {"project_id", &OldProject::project_id},
      {"gpu", &OldProject::node_type},
      {"node_type", &OldProject::node_type}};
  const auto text = std::find_if(std::begin(kTexts), std::end(kTexts),
                                 [&](const auto& known) { return known.first == name; });
  if (is_credential(name)) {
    project.credentials.emplace_back(name, value);
  } else if (text != std::end(kTexts)) {
    project.*(text->second) = value;
  } else if (name == "bucket_name") {
    project.bucket.name = value;
  } else if (name == "docker_cmd") {
    take_command(value, project);
  } else if (name == "max_exec_time") {
    project.hours = whole_number<std::int64_t>(value);
    if (!project.hours) project.lost.emplace_back("`max_exec_time`, which is no number");
  } else if (std::find(std::begin(kNotNeeded), std::end(kNotNeeded), name) == std::end(kNotNeeded)) {
    project.lost.push_back(cat(quoted(name), " of ", kConfig, ", which is not known here"));
  }
}

// An instruction of a Dockerfile with what it says, its lines joined.
void take_instruction(std::string_view instruction, int line, OldProject& project) {
  const std::size_t blank = std::min(instruction.find_first_of(" \t"), instruction.size());
  const std::string_view typed = instruction.substr(0, blank);
  const std::string what = lower_case(typed);
  const std::string_view said = trim(instruction.substr(blank));
  const std::vector<std::string> parts = split(said, ' ');
  if (std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return holds_login(part); })) {
    project.lost.push_back(cat(kImageLines, ":", line, ", where a login stands in an address"));
    return;
  }
  if (what == "run" && !said.starts_with('[') && !said.starts_with("--")) {
    project.run.emplace_back(said);
    return;
  }
  const auto words = shell_words(said);
  const std::size_t equals = words && words->size() == 1 ? words->front().find('=') : std::string::npos;
  if (what == "env" && equals != std::string::npos) {
    const std::string name = words->front().substr(0, equals), value = words->front().substr(equals + 1);
    if (is_credential(name))
      project.credentials.emplace_back(name, value);
    else
      project.environment[name] = value;
    return;
  }
  project.lost.push_back(cat(kImageLines, ":", line, ", a line of ", quoted(typed)));
}

void take_image_lines(std::string_view text, OldProject& project) {
  std::string instruction;
  int number = 0, begin = 0;
  for (const std::string& whole : split(text, '\n')) {
    ++number;
    std::string_view line = trim(whole);
    if (line.starts_with('#')) continue;
    if (instruction.empty()) begin = number;
    const bool goes_on = line.ends_with('\\');
    if (goes_on) line = trim(line.substr(0, line.size() - 1));
    instruction += cat(instruction.empty() || line.empty() ? "" : " ", line);
    if (goes_on || instruction.empty()) continue;
    take_instruction(instruction, begin, project);
    instruction.clear();
  }
  if (!instruction.empty()) take_instruction(instruction, begin, project);
}

}  // namespace

Result<OldProject> read_old_scripts(std::string_view configall, std::string_view edit_image_cmd) {
  OldProject project;
  const Variables variables = variables_of(configall, project);
  for (const auto& [name, value] : variables) take(name, value, project);
  if (project.name.empty() || project.gpu_base.empty())
    return fail(
        user_error(cat(kConfig, " does not say ", project.name.empty() ? "`dirname`" : "`base_image_gpu`",
                       ", which every project of the scripts has"),
                   "Import the command of the tools instead, or write TRAINFILE.lua by hand"));
  take_image_lines(edit_image_cmd, project);
  project.internal_uhub = true;
  project.code = "./code/";
  project.data = "data";
  project.data_prefix = cat(project.name, "/data");
  if (project.bucket.name.empty()) {
    const Variables names = {{"name", project.name}};
    project.bucket.name = cat(*expanded(names, "name/_/-"), "-bucket");
  }
  if (project.main.empty() && project.python_line.empty()) project.main = "demo.py";
  if (!project.hours) project.hours = 7;
  if (project.node_type.empty()) project.node_type = "1-P40";
  return project;
}

}  // namespace trainmake
