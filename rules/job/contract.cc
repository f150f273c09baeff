#include "rules/job/contract.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

std::string placed(const PlacedPath& path, const Folders& folders) {
  switch (path.place) {
    case Place::kCode:
      return path_join(folders.code, path.rest);
    case Place::kData:
      return path_join(folders.data, path.rest);
    case Place::kOutput:
      return path_join(folders.output, path.rest);
    case Place::kCheckpoint:
      return path_join(folders.checkpoint, path.rest);
    case Place::kLog:
      return path_join(folders.log, path.rest);
  }
  return path.rest;
}

std::string text_of(const Value& value, const Folders& folders) {
  return value.placed() != nullptr ? placed(*value.placed(), folders) : scalar_text(value);
}

void add_flags(const std::vector<std::pair<std::string, Value>>& named, const Folders& folders,
               std::vector<std::string>& into) {
  for (const auto& [name, value] : named) {
    const bool* boolean = value.boolean();
    if (boolean != nullptr && !*boolean) continue;
    into.push_back(cat("--", name));
    if (boolean != nullptr) continue;
    if (const Table* list = value.table()) {
      for (const Value& item : list->items) into.push_back(text_of(item, folders));
    } else {
      into.push_back(text_of(value, folders));
    }
  }
}

nlohmann::ordered_json json_of(const Value& value, const Folders& folders) {
  if (const bool* boolean = value.boolean()) return *boolean;
  if (const std::int64_t* integer = value.integer()) return *integer;
  if (const double* real = value.real()) return *real;
  if (const Table* list = value.table()) {
    nlohmann::ordered_json items = nlohmann::ordered_json::array();
    for (const Value& item : list->items) items.push_back(json_of(item, folders));
    return items;
  }
  return text_of(value, folders);
}

// `#!/usr/bin/env python3 -u` is a program and one argument, as the kernel reads it.
Starter parse_shebang(std::string_view content) {
  const std::string_view line = trim(content.substr(2, content.find('\n') - 2));
  const std::size_t blank = line.find_first_of(" \t");
  Starter starter{{std::string(line.substr(0, blank))}};
  if (blank != line.npos) starter.before.emplace_back(trim(line.substr(blank)));
  return starter;
}

bool is_python(std::string_view program) {
  const std::string_view name = path_name(program);
  return name.starts_with("python") && name.find_first_not_of("0123456789.", 6) == name.npos;
}

// Also by way of `env`, whose own words come before the program.
bool runs_python(const std::vector<std::string>& arguments) {
  if (path_name(arguments.front()) != "env") return is_python(arguments.front());
  const std::vector<std::string> words = split(join(std::span(arguments).subspan(1), " "), ' ');
  const auto program = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return !word.empty() && word.front() != '-' && word.find('=') == word.npos;
  });
  return program != words.end() && is_python(*program);
}

}  // namespace

RenderedJob render(const JobSpec& spec, const Folders& folders, const std::string& path) {
  RenderedJob job;
  for (const Value& word : spec.command) job.arguments.push_back(text_of(word, folders));
  if (spec.command.empty()) {
    job.arguments = spec.starter.before;
    job.arguments.push_back(path_join(folders.code, spec.main));
  }
  add_flags(spec.args, folders, job.arguments);
  add_flags(spec.params, folders, job.arguments);
  job.environment = spec.environment;
  job.environment.insert({"PATH", path});
  job.environment.insert({"LANG", "C.UTF-8"});
  job.environment.insert({"HOME", folders.home});
  if (runs_python(job.arguments)) job.environment.insert({"PYTHONUNBUFFERED", "1"});
  job.environment["TRAINMAKE_CODE_DIR"] = folders.code;
  job.environment["TRAINMAKE_DATA_DIR"] = folders.data;
  job.environment["TRAINMAKE_OUTPUT_DIR"] = folders.output;
  job.environment["TRAINMAKE_CHECKPOINT_DIR"] = folders.checkpoint;
  job.environment["TRAINMAKE_LOG_DIR"] = folders.log;
  job.environment["TRAINMAKE_LABEL"] = spec.label;
  job.environment["TRAINMAKE_RUN"] = spec.run;
  job.environment["TRAINMAKE_PARAMS"] = folders.params;
  job.folder = folders.code;
  return job;
}

std::string params_json(const Fields& fields, const Folders& folders) {
  nlohmann::ordered_json params = nlohmann::ordered_json::object();
  for (const auto& [name, value] : fields) params[name] = json_of(value, folders);
  return params.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<Starter> starter_of(std::string_view key, std::uint32_t mode, std::string_view content) {
  if (content.starts_with("#!")) {
    Starter starter = parse_shebang(content);
    if (starter.before[0].empty())
      return fail(user_error(cat("The first line of ", quoted(key), " is `#!` without a program")));
    return starter;
  }
  if (key.ends_with(".py")) return Starter{{"python3"}};
  if (key.ends_with(".sh")) return Starter{{"sh"}};
  if (key.ends_with(".lua")) {
    return fail(
        user_error(cat("A job cannot run ", quoted(key), ": trainmake's own Lua is for TRAINFILEs alone"),
                   "Give it a first line as `#!/usr/bin/env lua`, or the job a `command`"));
  }
  if ((mode & 0111U) != 0) return Starter{};
  return fail(user_error(cat("It is not known how to run ", quoted(key),
                             ": it has no `#!` line, is no `.py` or `.sh`, and is not executable"),
                         "Give it a `#!` line, or the job a `command`"));
}

}  // namespace trainmake
