#include "rules/job/provenance.h"

#include <nlohmann/json.hpp>

#include "engine/base/git.h"
#include "rules/job/contract.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Json data_json(const JobSpec& spec) {
  Json trees = Json::array();
  for (const GivenTree& tree : spec.data) {
    trees.push_back({{"label", tree.label},
                     {"channel", tree.channel.empty() ? Json() : Json(tree.channel)},
                     {"identity", tree.identity.empty() ? Json() : Json(tree.identity)}});
  }
  return trees;
}

}  // namespace

std::string Provenance::git_json(const std::string& folder) {
  std::lock_guard lock(mutex_);
  const auto [entry, is_new] = git_.try_emplace(folder, "null");
  if (!is_new) return entry->second;
  const auto state = git_state(folder);
  if (!state || !*state) return entry->second;
  const Json json = {{"commit", (*state)->commit}, {"branch", (*state)->branch}, {"dirty", (*state)->dirty}};
  return entry->second = json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Provenance::json_of(const JobSpec& spec, const Redactor& redactor,
                                const ProvenanceOptions& options) {
  // With no folders, placed paths read as they do in the TRAINFILE.
  const Folders nowhere{"code", "data", "output", "checkpoint", "log", "", ""};
  std::vector<std::string> command = render(spec, nowhere, "").arguments;
  for (std::string& word : command) word = redactor.redact(word);
  std::map<std::string, std::string> environment = spec.environment;
  for (auto& [name, value] : environment) value = redactor.redact(value);
  const Json json = {
      {"version", options.version},
      {"platform", options.platform},
      {"contract", options.contract},
      {"image", spec.image},
      {"command", command},
      {"main", spec.main.empty() ? Json() : Json(spec.main)},
      {"env", environment},
      {"secrets", spec.secrets},
      {"outputs", spec.outputs},
      {"data", data_json(spec)},
      {"git", Json::parse(git_json(options.folder))},
  };
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace trainmake
