#include "engine/cli/run_inputs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/json.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

// label and identity → the record that has them
using Results = std::map<std::pair<std::string, std::string>, std::pair<Label, Fingerprint>>;

const Artifact* identifying(const Record& record) {
  if (record.label.kind == "image") return find_role(record.artifacts, "image");
  return record.label.kind == "job" ? nullptr : find_role(record.artifacts, "tree");
}

Result<Results> all_results(State& state) {
  Results results;
  TRY(state.each_record([&](const Record& record, bool) {
    if (const Artifact* artifact = identifying(record))
      results[{record.label.text(), artifact->identity}] = {record.label, record.fingerprint};
  }));
  return results;
}

Result<std::optional<Record>> result_of(State& state, const Results& results, const std::string& label,
                                        const std::string& identity) {
  const auto found = results.find({label, identity});
  if (found == results.end()) return std::optional<Record>();
  return state.find(found->second.first, found->second.second);
}

// Labels of one kind among the upstreams that a manifest names.
std::vector<std::string> upstreams(const Manifest& manifest, std::string_view kind) {
  std::vector<std::string> labels;
  for (const ManifestLine& line : manifest.lines()) {
    if (line.section != Section::kUpstream) continue;
    if (const Result<Label> label = parse_label(line.name, ""); label && label->kind == kind)
      labels.push_back(line.name);
  }
  return labels;
}

Result<void> add_image(State& state, const Results& results, const std::string& label,
                       const std::string& identity, RunInputs& inputs) {
  TRY_ASSIGN(std::optional<Record> image, result_of(state, results, label, identity));
  if (!image) return {};
  for (const std::string& code : upstreams(image->manifest, "code")) {
    for (const Artifact& artifact : image->artifacts) {
      if (artifact.role != "code") continue;
      TRY_ASSIGN(std::optional<Record> record, result_of(state, results, code, artifact.identity));
      if (record) inputs.code.push_back(*std::move(record));
    }
  }
  inputs.images.push_back(*std::move(image));
  return {};
}

Result<RunInputs> inputs_of_one(State& state, const Results& results, const Run& run) {
  RunInputs inputs;
  const Json provenance = parse_json<Json>(run.provenance_json);
  for (const std::string& label : upstreams(run.manifest, "image"))
    TRY(add_image(state, results, label, text_at(provenance, "image"), inputs));
  const Json trees = provenance.is_object() && provenance.contains("data") ? provenance["data"] : Json();
  for (const Json& tree : trees.is_array() ? trees : Json::array()) {
    if (text_at(tree, "identity").empty()) continue;  // another job's outputs
    TRY_ASSIGN(std::optional<Record> record,
               result_of(state, results, text_at(tree, "label"), text_at(tree, "identity")));
    if (record)
      inputs.data.push_back({text_at(tree, "channel"), *std::move(record)});
    else
      inputs.complete = false;
  }
  return inputs;
}

}  // namespace

const Record* RunInputs::find(std::string_view label) const {
  for (const std::vector<Record>* records : {&images, &code}) {
    for (const Record& record : *records) {
      if (record.label.text() == label) return &record;
    }
  }
  const auto found = std::find_if(data.begin(), data.end(),
                                  [&](const DataInput& input) { return input.record.label.text() == label; });
  return found == data.end() ? nullptr : &found->record;
}

Result<std::vector<RunInputs>> inputs_of(State& state, const std::vector<const Run*>& runs) {
  TRY_ASSIGN(const Results results, all_results(state));
  std::vector<RunInputs> all;
  for (const Run* run : runs) {
    TRY_ASSIGN(RunInputs inputs, inputs_of_one(state, results, *run));
    all.push_back(std::move(inputs));
  }
  return all;
}

}  // namespace trainmake
