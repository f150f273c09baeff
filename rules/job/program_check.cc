#include "rules/job/program_check.h"

#include <algorithm>
#include <optional>

#include "engine/base/program_path.h"
#include "engine/base/text.h"
#include "rules/job/contract.h"
#include "rules/job/image_check.h"
#include "rules/job/upstream.h"

namespace trainmake {
namespace {

constexpr const char* kUsualPath = "/usr/bin:/bin";

// The words that it begins with, up to one that only the platform knows; a path in the code is one as `./x`.
std::vector<std::string> first_words(const Contract& contract, const Target& job, const Entry& entry) {
  if (!entry.main.empty()) {
    if (!entry.starter) return {};
    if (starts_python(*entry.starter) && !contract.python.empty()) return contract.python;
    return entry.starter->before.empty() ? std::vector<std::string>{cat("./", entry.main)}
                                         : entry.starter->before;
  }
  std::vector<std::string> words;
  for (const Value& item : job.find("command")->table()->items) {
    const PlacedPath* placed = item.placed();
    if (placed != nullptr && placed->place != Place::kCode) break;
    words.push_back(placed != nullptr ? cat("./", placed->rest) : scalar_text(item));
  }
  return words;
}

Error missing(const Entry& entry, std::string message, std::string hint) {
  if (!entry.main.empty()) message += cat(", with which ", quoted(entry.main), " is run");
  return user_error(std::move(message), std::move(hint));
}

Result<void> check_in_code(const std::string& program, const Entry& entry) {
  const std::optional<std::string> path = path_clean(program);
  if (!path || path->starts_with("..") || !entry.code) return {};
  for (const ListedFile& file : *entry.code) {
    const bool is_link = !file.link_target.empty();  // where it leads is not looked at
    if (is_link && (file.key == *path || path_below(*path, file.key))) return {};
    if (file.key != *path) continue;
    if ((file.mode & 0111U) != 0) return {};
    return fail(user_error(
        cat(quoted(*path), " among the code is no program: it is not executable"),
        cat("`chmod +x` makes it one, or name what reads it: `command = { \"sh\", \"", *path, "\" }`")));
  }
  std::vector<std::string> keys;
  for (const ListedFile& file : *entry.code) keys.push_back(file.key);
  const std::string meant = did_you_mean(*path, keys);
  return fail(
      missing(entry, cat("There is no program ", quoted(*path), " among the code"),
              meant.empty() ? "A program of the code is named by its path from the code's root" : meant));
}

std::string path_variable(const JobServices& services, const Target& job) {
  for (const auto& [name, value] : job.fields("env")) {
    if (name == "PATH") return scalar_text(value);
  }
  return services.host.environment.get("PATH").value_or(kUsualPath);
}

// Of a process of this machine.
Result<void> check_here(const JobServices& services, const Target& job, const std::string& program,
                        const Entry& entry) {
  FileSystem& files = services.host.files;
  if (program.starts_with('/')) {
    if (is_program(files, program)) return {};
    return fail(missing(entry, cat("This machine has no program ", quoted(program)),
                        "Install it, or name one that there is"));
  }
  const std::string path = path_variable(services, job);
  const std::vector<std::string> folders = split(path, ':');
  const bool looks_in_code = std::any_of(folders.begin(), folders.end(),
                                         [](const auto& folder) { return !folder.starts_with('/'); });
  if (looks_in_code || find_in_path(files, path, program)) return {};
  const bool is_of_code = entry.code && std::any_of(entry.code->begin(), entry.code->end(),
                                                    [&](const auto& file) { return file.key == program; });
  return fail(missing(
      entry, cat("This machine has no program ", quoted(program), " in PATH (", path, ")"),
      is_of_code ? cat("That of the code is `./", program, "`") : "Install it, or add its folder to PATH"));
}

bool says_path(const Target& target) {
  const auto& fields = target.fields("env");
  return std::any_of(fields.begin(), fields.end(), [](const auto& field) { return field.first == "PATH"; });
}

// Of an image that has the code and nothing else.
Result<void> check_on_scratch(const Subject& subject, const std::string& program, const Entry& entry) {
  const Target& image = subject.graph[image_of(subject.target())->target];
  const bool has_more =
      std::any_of(image.attributes.fields.begin(), image.attributes.fields.end(), [](const auto& field) {
        return field.first == "files" || field.first == "run" || field.first == "dockerfile";
      });
  const bool is_drivers = path_name(program).starts_with("nvidia-");
  const bool is_looked_up = program.find('/') == program.npos;
  if (has_more || is_drivers || !is_looked_up || says_path(image) || says_path(subject.target())) return {};
  return fail(missing(entry, cat("The image has no program ", quoted(program)), kOfScratch));
}

}  // namespace

bool is_on_scratch(const Subject& job) {
  const Value* base = job.graph[image_of(job.target())->target].find("base");
  return base != nullptr && base->string() != nullptr && *base->string() == "scratch";
}

Result<void> check_known_program(const JobServices& services, const Subject& job, const Entry& entry) {
  const PlatformTraits& traits = services.platform.traits;
  const bool in_image = traits.runs_images || traits.pulls_images;
  const Target& target = job.target();
  const std::vector<std::string> words = first_words(traits.contract, target, entry);
  if (words.empty() || (in_image && !is_on_scratch(job))) return {};
  const auto check = [&](const std::string& program) -> Result<void> {
    if (program.find('/') != program.npos && !program.starts_with('/')) return check_in_code(program, entry);
    if (in_image) return check_on_scratch(job, program, entry);
    return traits.reads_in_place ? check_here(services, target, program, entry) : Result<void>();
  };
  for (const std::string& program : programs_of(words)) {
    if (auto found = check(program); !found)
      return fail(std::move(found).error().at(target.place_of(entry.main.empty() ? "command" : "main")));
  }
  return {};
}

}  // namespace trainmake
