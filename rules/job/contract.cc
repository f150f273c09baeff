#include "rules/job/contract.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "rules/job/placeholders.h"
#include "rules/job/published_base.h"

namespace trainmake {
namespace {

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

std::string dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::vector<std::string> channels_of(const JobSpec& spec) {
  std::set<std::string> channels;
  for (const GivenTree& tree : spec.data) {
    if (!tree.channel.empty()) channels.insert(tree.channel);
  }
  return {channels.begin(), channels.end()};
}

std::string channel_modes(const std::vector<std::string>& channels) {
  nlohmann::ordered_json modes = nlohmann::ordered_json::object();
  for (const std::string& channel : channels) modes[channel] = {{"TrainingInputMode", "File"}};
  return dumped(modes);
}

std::vector<std::string> parameter_words(const Contract& contract, const JobSpec& spec,
                                         const Folders& folders) {
  std::vector<std::string> words;
  const ArgumentStyle& style = contract.arguments;
  if (style.one_list) {
    for (const auto& [name, value] : hyperparameters(spec.args, spec.params))
      add_flag(style, name, value, folders, words);
  } else {
    for (const auto& [name, value] : spec.args) add_flag(style, name, value, folders, words);
    for (const auto& [name, value] : spec.params) add_flag(style, name, value, folders, words);
  }
  words.insert(words.end(), spec.typed.begin(), spec.typed.end());
  return words;
}

Filling filling_of(const Contract& contract, const JobSpec& spec, const Folders& folders, const Rank& rank) {
  const std::int64_t gpus = rank.has_gpus ? count_of(spec.resources, "gpus", 0) : 0;
  const Fields parameters = hyperparameters(spec.args, spec.params);
  Filling filling;
  filling.channels = channels_of(spec);
  for (const auto& [name, value] : parameters)
    filling.parameters.emplace_back(name, parameter_text(value, folders));
  filling.words = {{"code", folders.code},
                   {"data", folders.data},
                   {"output", folders.output},
                   {"checkpoint", folders.checkpoint},
                   {"log", folders.log},
                   {"home", folders.home},
                   {"top", folders.top},
                   {"params", folders.params},
                   {"label", spec.label},
                   {"run", spec.run},
                   {"main", spec.main},
                   {"nodes", cat(count_of(spec.resources, "nodes", 1))},
                   {"gpus", cat(gpus)},
                   {"gpus_if_any", gpus > 0 ? cat(gpus) : ""},
                   {"cpu_if_caffe", spec.framework != kCaffe ? ""
                                    : gpus > 0               ? "False"
                                                             : "True"},
                   {"cpus", cat(count_of(spec.resources, "cpus", 1))},
                   {"host", rank.host},
                   {"hosts_json", dumped(rank.hosts)},
                   {"params_json", params_json(spec.params, folders)},
                   {"arguments_json", dumped(parameter_words(contract, spec, folders))},
                   {"channels_json", dumped(filling.channels)},
                   {"channel_modes_json", channel_modes(filling.channels)},
                   {"hyperparameters_json", params_json(parameters, folders)},
                   {"hyperparameter_texts_json", params_texts_json(parameters, folders)}};
  return filling;
}

}  // namespace

RenderedJob render(const Contract& contract, const JobSpec& spec, const Folders& folders,
                   const std::string& path, const Rank& rank) {
  const Filling filling = filling_of(contract, spec, folders, rank);
  RenderedJob job;
  for (const Value& word : spec.command) job.arguments.push_back(word_text(word, folders));
  if (spec.command.empty()) {
    const bool is_contracts = !contract.python.empty() && starts_python(spec.starter);
    job.arguments = is_contracts ? contract.python : spec.starter.before;
    job.arguments.push_back(path_join(folders.code, spec.main));
  }
  const std::vector<std::string> words = parameter_words(contract, spec, folders);
  job.arguments.insert(job.arguments.end(), words.begin(), words.end());
  for (const auto& [name, text] : filled(contract.flags, filling)) {
    Value value;
    value.data = text;
    if (!text.empty()) add_flag(contract.arguments, name, value, folders, job.arguments);
  }
  job.environment = spec.environment;
  job.environment.insert({"PATH", path});
  job.environment.insert({"LANG", "C.UTF-8"});
  job.environment.insert({"HOME", folders.home});
  if (runs_python(job.arguments)) job.environment.insert({"PYTHONUNBUFFERED", "1"});
  for (auto& [name, text] : filled(contract.variables, filling)) job.environment[name] = std::move(text);
  job.folder = folders.code;
  return job;
}

RenderedJob render_without_flags(Contract contract, const JobSpec& spec) {
  CHECK(contract.places.has_value());
  contract.flags.clear();
  const Contract::Places& at = *contract.places;
  return render(contract, spec, {at.code, at.data, at.output, at.checkpoint, at.log, "/root", ""}, "");
}

std::vector<std::pair<std::string, std::string>> render_files(const Contract& contract, const JobSpec& spec,
                                                              const Folders& folders, const Rank& rank) {
  std::vector<std::pair<std::string, std::string>> files =
      filled(contract.files, filling_of(contract, spec, folders, rank));
  for (auto& [path, text] : files) path.insert(0, folders.top);
  return files;
}

std::int64_t count_of(const Table& resources, std::string_view name, std::int64_t otherwise) {
  const Value* value = resources.find(name);
  if (value == nullptr || !value->is_number()) return otherwise;
  return static_cast<std::int64_t>(std::ceil(*parse_number(scalar_text(*value))));
}

std::int64_t accelerators_of(const Table& resources) {
  const Value* machine = resources.find("node_type");
  const std::string* type = machine == nullptr ? nullptr : machine->string();
  const std::size_t dash = type == nullptr ? std::string::npos : type->find('-');
  const auto its_own = dash == std::string::npos
                           ? std::nullopt
                           : whole_number<std::int64_t>(std::string_view(*type).substr(0, dash));
  return count_of(resources, "gpus", its_own.value_or(0));
}

bool starts_python(const Starter& starter) {
  const std::vector<std::string>& words = starter.before;
  if (words.size() == 2 && path_name(words.front()) == "env") return is_python(words.back());
  return words.size() == 1 && is_python(words.front());
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
