#include "rules/job/provenance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/git.h"
#include "engine/base/json.h"
#include "rules/job/contract.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Json data_json(const JobSpec& spec) {
  Json trees = Json::array();
  for (const GivenTree& tree : spec.data) {
    trees.push_back({{"label", tree.label},
                     {"channel", tree.channel.empty() ? Json() : Json(tree.channel)},
                     {"identity", tree.identity.empty() ? Json() : Json(tree.identity)},
                     {"listing", tree.listing.empty() ? Json() : Json(tree.listing)},
                     {"store", tree.store.empty() ? Json() : Json(tree.store)}});
  }
  return trees;
}

Json metrics_json(const Value* declared) {
  Json patterns = Json::object();
  if (declared == nullptr) return patterns;
  for (const auto& [name, pattern] : declared->table()->fields) patterns[name] = *pattern.string();
  return patterns;
}

}  // namespace

Result<std::optional<std::vector<GivenTree>>> data_given_to(Listings& listings, const Run& run) {
  std::optional<std::vector<GivenTree>> trees(std::in_place);
  const Json provenance = parse_json<Json>(run.provenance_json);
  if (!provenance.is_object() || !provenance.contains("data") || !provenance["data"].is_array())
    return std::optional<std::vector<GivenTree>>();
  for (const Json& given : provenance["data"]) {
    GivenTree tree{text_at(given, "label"), text_at(given, "channel"), nullptr, text_at(given, "identity"),
                   text_at(given, "listing")};
    if (tree.identity.empty()) continue;  // what another job left: copied, and not read in place
    TRY_ASSIGN(tree.files, listings.get(tree.listing));
    if (!tree.files) return std::optional<std::vector<GivenTree>>();
    trees->push_back(std::move(tree));
  }
  return trees;
}

bool reads_from(const Run& run, const std::string& store) {
  const Json provenance = parse_json<Json>(run.provenance_json);
  if (!provenance.is_object() || !provenance.contains("data") || !provenance["data"].is_array()) return false;
  return std::any_of(provenance["data"].begin(), provenance["data"].end(),
                     [&](const Json& given) { return text_at(given, "store") == store; });
}

Metrics metrics_declared_of(const Run& run) {
  const Json provenance = parse_json<Json>(run.provenance_json);
  std::map<std::string, std::string> patterns;
  if (provenance.is_object() && provenance.contains("metrics") && provenance["metrics"].is_object()) {
    for (const auto& [name, pattern] : provenance["metrics"].items()) {
      if (pattern.is_string()) patterns[name] = pattern.get<std::string>();
    }
  }
  return Metrics::of(patterns);
}

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
      {"version", options.version},   {"platform", options.platform},
      {"contract", options.contract}, {"image", spec.image},
      {"command", command},           {"main", spec.main.empty() ? Json() : Json(spec.main)},
      {"env", environment},           {"secrets", spec.secrets},
      {"outputs", spec.outputs},      {"metrics", metrics_json(options.metrics)},
      {"data", data_json(spec)},      {"git", Json::parse(git_json(options.folder))},
  };
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace trainmake
