#include "rules/job/provenance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/git.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/job/checkpoint.h"
#include "rules/job/entry.h"
#include "rules/job/spec_json.h"

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

// All that is said of it; which files it has, its listing says.
GivenTree given_tree(const Json& said) {
  return {text_at(said, "label"),    text_at(said, "channel"), nullptr,
          text_at(said, "identity"), text_at(said, "listing"), text_at(said, "store"),
          text_at(said, "mark")};
}

Json metrics_json(const Value* declared) {
  Json metrics = Json::object();
  for (const auto& [name, source] : metric_sources(declared)) {
    if (source.file.empty())
      metrics[name] = source.pattern;
    else
      metrics[name] = {{"file", source.file}, {"field", source.field}, {"step", source.step}};
  }
  return metrics;
}

}  // namespace

Result<std::optional<std::vector<GivenTree>>> data_given_to(Listings& listings, const Run& run) {
  std::optional<std::vector<GivenTree>> trees(std::in_place);
  const Json provenance = parse_json<Json>(run.provenance_json);
  if (!provenance.is_object() || !provenance.contains("data") || !provenance["data"].is_array())
    return std::optional<std::vector<GivenTree>>();
  for (const Json& given : provenance["data"]) {
    GivenTree tree = given_tree(given);
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
  MetricSources sources;
  if (provenance.is_object() && provenance.contains("metrics") && provenance["metrics"].is_object()) {
    for (const auto& [name, said] : provenance["metrics"].items()) {
      if (said.is_string()) sources[name].pattern = said.get<std::string>();
      if (said.is_object())
        sources[name] = {"", text_at(said, "file"), text_at(said, "field"), text_at(said, "step")};
    }
  }
  return Metrics::of(sources);
}

std::vector<std::string> listings_of(const Run& run) {
  const Json provenance = parse_json<Json>(run.provenance_json);
  if (!provenance.is_object()) return {};
  std::vector<std::string> listings;
  if (const std::optional<JobSpec> spec = parse_spec(provenance.value("spec", Json())))
    listings = spec->listings;
  for (const Json& tree : provenance.value("data", Json())) listings.push_back(text_at(tree, "listing"));
  if (const std::optional<ToldCheckpoint> resumed = told_resumed(run)) listings.push_back(resumed->listing);
  return listings;
}

Result<std::optional<std::set<std::string>>> code_given_to(Listings& listings, const Run& run) {
  const Json provenance = parse_json<Json>(run.provenance_json);
  const std::optional<JobSpec> spec =
      provenance.is_object() ? parse_spec(provenance.value("spec", Json())) : std::nullopt;
  std::optional<std::set<std::string>> none, code(std::in_place);
  if (!spec) return none;
  for (const std::string& listing : spec->listings) {
    TRY_ASSIGN(const std::shared_ptr<const Listing> part, listings.get(listing));
    if (!part) return none;
    code->insert(tree_identity(*part, true).hex());
  }
  return code;
}

std::string contract_given_to(const Run& run) {
  return text_at(parse_json<Json>(run.provenance_json), "contract");
}

Remarks remarks_of(const Run& run) {
  const Json provenance = parse_json<Json>(run.provenance_json);
  Remarks remarks{{}, text_at(provenance, "notes"), text_at(provenance, "memo")};
  if (!provenance.is_object() || !provenance.contains("tags")) return remarks;
  for (const Json& tag : provenance["tags"]) {
    if (tag.is_string()) remarks.tags.push_back(tag.get<std::string>());
  }
  return remarks;
}

std::string with_marks(const std::string& provenance_json, const std::vector<GivenTree>& data) {
  Json provenance = parse_json<Json>(provenance_json);
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (!data[i].mark.empty()) provenance["data"][i]["mark"] = data[i].mark;
  }
  return provenance.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string with_outputs(const std::string& provenance_json,
                         const std::map<std::string, std::string>& outputs) {
  Json provenance = parse_json<Json>(provenance_json);
  provenance["outputs"] = provenance["spec"]["outputs"] = outputs;
  return provenance.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string with_pulled_image(const std::string& provenance_json, const std::string& name) {
  Json provenance = parse_json<Json>(provenance_json);
  provenance["spec"]["pulled_image"] = name;
  return provenance.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string provenance_of_repeat(const Run& original, const JobSpec& spec, const ProvenanceOptions& options) {
  Json provenance = parse_json<Json>(original.provenance_json);
  provenance["reproduces"] = original.id;
  provenance["original_platform"] = original.platform;
  provenance.erase("checkpoint");  // which the original left
  provenance["version"] = options.version;
  provenance["platform"] = options.platform;
  provenance["contract"] = options.contract.version;
  provenance["data"] = data_json(spec);
  return with_marks(provenance.dump(-1, ' ', false, Json::error_handler_t::replace), spec.data);
}

std::string platform_repeated_by(const Run& run) {
  return text_at(parse_json<Json>(run.provenance_json), "original_platform");
}

Result<JobSpec> spec_given_to(Listings& listings, const Run& run) {
  const auto gone = [&](const std::string& what) {
    return fail(step_error(cat(what, " of run ", quoted(run.id), " is not there any more"),
                           cat("`trainmake show ", run.id, "` says what it was given")));
  };
  const Json provenance = parse_json<Json>(run.provenance_json);
  const Json said = provenance.is_object() ? provenance.value("spec", Json()) : Json();
  std::optional<JobSpec> spec = parse_spec(said);
  if (!spec) {
    return fail(step_error(cat("Not all that run ", quoted(run.id), " was given is remembered"),
                           cat("It is of an earlier trainmake; `trainmake ", shell_word(run.label.text()),
                               " --force` runs what is there now")));
  }
  if (said.contains("whole") && said["whole"] == false) {
    return fail(step_error(cat("Secrets stood in what run ", quoted(run.id), " was given, and are not kept"),
                           "Let the job read them from its environment: `secrets = { ... }`"));
  }
  spec->label = run.label.text();
  spec->image = text_at(provenance, "image");
  std::vector<std::shared_ptr<const Listing>> code;
  for (const std::string& listing : spec->listings) {
    TRY_ASSIGN(std::shared_ptr<const Listing> part, listings.get(listing));
    if (!part) return gone("The code");
    code.push_back(std::move(part));
  }
  TRY_ASSIGN(spec->code, merged(code, spec->label));
  for (const Json& given : provenance.value("data", Json())) {
    GivenTree tree = given_tree(given);
    TRY_ASSIGN(tree.files, listings.get(tree.listing));
    if (!tree.files) return gone(cat("What ", quoted(tree.label), " was"));
    spec->data.push_back(std::move(tree));
  }
  TRY_ASSIGN(spec->resumed, resumed_by(listings, run));
  return *std::move(spec);
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
  std::vector<std::string> command = options.adds_flags
                                         ? render_without_flags(options.contract, spec).arguments
                                         : render(options.contract, spec, nowhere, "").arguments;
  for (std::string& word : command) word = redactor.redact(word);
  std::map<std::string, std::string> environment = spec.environment;
  for (auto& [name, value] : environment) value = redactor.redact(value);
  std::vector<std::string> tags = options.tags;
  for (std::string& tag : tags) tag = redactor.redact(tag);
  const auto remark = [&](const std::string& text) {
    return text.empty() ? Json() : Json(redactor.redact(text));
  };
  const Json json = {
      {"version", options.version},
      {"platform", options.platform},
      {"contract", options.contract.version},
      {"image", spec.image},
      {"command", command},
      {"main", spec.main.empty() ? Json() : Json(spec.main)},
      {"env", environment},
      {"secrets", spec.secrets},
      {"outputs", spec.outputs},
      {"metrics", metrics_json(options.metrics)},
      {"data", data_json(spec)},
      {"git", Json::parse(git_json(options.folder))},
      {"tags", tags},
      {"notes", remark(options.notes)},
      {"memo", remark(spec.memo)},
      {"spec", spec_json(spec, redactor)},
  };
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace trainmake
