#include "engine/cli/run_json.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/report.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
Json time_or_null(std::int64_t ns) { return ns == 0 ? Json() : Json(time_text(ns)); }

Json object_from(const std::string& text) {
  Json json = parse_json<Json>(text);
  return json.is_object() ? json : Json::object();
}

Json outputs_json(const Run& run) {
  Json outputs = Json::array();
  for (const RunOutput& output : run.outputs) {
    outputs.push_back({{"name", output.name},
                       {"path", printable(output.path)},
                       {"bytes", output.bytes},
                       {"sha256", output.sha256}});
  }
  return outputs;
}

void add_detail(Json& json, const Run& run) {
  json["attempt"] = run.attempt;
  json["created"] = time_or_null(run.created_ns);
  json["exit_code"] = run.exit_code ? Json(*run.exit_code) : Json();
  json["reusable"] = run.reusable;
  json["fingerprint"] = run.fingerprint.hex();
  json["curves"] = Json::object();
  for (const auto& [name, curve] : run.curves) json["curves"][name] = Json::parse(to_json(curve));
  json["resumed"] = checkpoint_json(told_resumed(run));
  json["provenance"] = object_from(run.provenance_json);
}

}  // namespace

Json checkpoint_json(const std::optional<ToldCheckpoint>& told) {
  if (!told) return {};
  return {{"run", text_or_null(told->run)},
          {"sha256", told->listing},
          {"files", told->files},
          {"bytes", told->bytes}};
}

std::string run_json(const Run& run, RunDetail detail) {
  Json json = {
      {"run", run.id},
      {"label", run.label.text()},
      {"status", name_of(run.status)},
      {"platform", text_or_null(run.platform)},
      {"key", text_or_null(run.key)},
      {"job", text_or_null(run.job)},
      {"started", time_or_null(run.started_ns)},
      {"ended", time_or_null(is_over(run.status) ? run.ended_ns : 0)},
      {"params", object_from(run.params_json)},
      {"metrics", Json::object()},
      {"outputs", outputs_json(run)},
      {"reason", text_or_null(run.reason)},
  };
  for (const auto& [name, value] : run.metrics) json["metrics"][name] = value;  // no number is null
  const Remarks remarks = remarks_of(run);
  json["tags"] = Json::array();
  for (const std::string& tag : remarks.tags) json["tags"].push_back(tag);
  json["notes"] = text_or_null(remarks.notes);
  json["memo"] = text_or_null(remarks.memo);
  json["contract"] = text_or_null(contract_given_to(run));
  if (detail == RunDetail::kAll) add_detail(json, run);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace trainmake
