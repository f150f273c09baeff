#include "rules/job/platforms/slurm/slurm_exit.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {

std::optional<SlurmExit> parse_slurm_exit(std::string_view text) {
  const nlohmann::json json = parse_json<nlohmann::json>(text);
  if (!json.is_object() || !json.contains("exit_code") || !json["exit_code"].is_number_integer())
    return std::nullopt;
  SlurmExit exit;
  exit.exit_code = json["exit_code"].get<int>();
  exit.process = text_at(json, "process");
  exit.asked = json.contains("asked") && json["asked"] == true;
  for (const auto& [name, into] :
       {std::pair("started_ns", &exit.started_ns), std::pair("ended_ns", &exit.ended_ns)}) {
    if (json.contains(name) && json[name].is_number_integer()) *into = json[name].get<std::int64_t>();
  }
  return exit;
}

std::optional<SlurmExit> parse_slurm_ended(std::string_view text) {
  const std::vector<std::string> words = split(text, ' ');
  if (words.size() < 4) return std::nullopt;
  const auto code = whole_number<int>(words[0]);
  const auto started = whole_number<std::int64_t>(words[2]), ended = whole_number<std::int64_t>(words[3]);
  if (!code) return std::nullopt;
  SlurmExit exit{*code, words[1] == "true", started.value_or(0), ended.value_or(0)};
  exit.process = trim(join(std::vector<std::string>(words.begin() + 4, words.end()), " "));
  return exit;
}

std::string render_end(const JobStatus& status) {
  nlohmann::ordered_json json = {{"status", name_of(status.status)},
                                 {"started_ns", status.started_ns},
                                 {"ended_ns", status.ended_ns},
                                 {"exit_code", nullptr},
                                 {"reason", printable(status.reason)}};
  if (status.exit_code) json["exit_code"] = *status.exit_code;
  return json.dump() + "\n";
}

std::optional<JobStatus> parse_end(std::string_view text) {
  const nlohmann::json json = parse_json<nlohmann::json>(text);
  const std::optional<RunStatus> end = parse_status(text_at(json, "status"));
  if (!end || !is_over(*end)) return std::nullopt;
  JobStatus status;
  status.status = *end;
  status.reason = text_at(json, "reason");
  if (const std::optional<SlurmExit> exit = parse_slurm_exit(text)) status.exit_code = exit->exit_code;
  for (const auto& [name, into] :
       {std::pair("started_ns", &status.started_ns), std::pair("ended_ns", &status.ended_ns)}) {
    if (json.contains(name) && json[name].is_number_integer()) *into = json[name].get<std::int64_t>();
  }
  return status;
}

}  // namespace trainmake
