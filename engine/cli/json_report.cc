// --json: one object a line. Shapes are a contract (the surface's JSON section): absent values are null,
// never missing.
#include <nlohmann/json.hpp>

#include "engine/base/host.h"
#include "engine/base/text.h"
#include "engine/cli/report.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

Json begin(std::string_view name) { return {{"event", name}, {"time", time_text(real_clock().now_ns())}}; }

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
Json label_or_null(const Label& label) { return label.kind.empty() ? Json() : Json(label.text()); }

void write(const Json& json) {
  write_stdout(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

void write_step(const Label& label, std::string_view state) {
  Json json = begin("step");
  json["label"] = label.text();
  json["state"] = state;
  json["kind"] = label.kind;
  write(json);
}

struct Writer {
  void operator()(const StepStarted& event) const { write_step(event.label, "started"); }
  void operator()(const StepEnded& event) const {
    if (event.outcome == Outcome::kRan || event.outcome == Outcome::kReused)
      write_step(event.label, "finished");
    if (event.outcome == Outcome::kFailed) write_step(event.label, "failed");
  }
  void operator()(const LogLine& event) const {
    Json json = begin("log");
    json["label"] = event.label.text();
    json["line"] = event.line;
    write(json);
  }
  void operator()(const Progress& event) const {
    Json json = begin("progress");
    json["label"] = event.label.text();
    json["what"] = event.what;
    json["done"] = event.done;
    json["total"] = event.total;
    json["unit"] = event.bytes ? "bytes" : "items";
    write(json);
  }
  void operator()(const Message& event) const {
    Json json = begin("message");
    json["label"] = label_or_null(event.label);
    json["message"] = event.text;
    write(json);
  }
  void operator()(const Attached& event) const {
    Json json = begin("attached");
    json["label"] = event.label.text();
    json["run"] = event.run;
    json["message"] = event.text;
    write(json);
  }
  void operator()(const Problem& event) const {
    Json json = begin("error");
    json["message"] = event.error.message;
    json["label"] = label_or_null(event.label);
    json["file"] = text_or_null(event.error.where.file);
    json["line"] = event.error.where.line != 0 ? Json(event.error.where.line) : Json();
    json["hint"] = text_or_null(event.error.hint);
    write(json);
  }
};

Json steps_json(const Summary& summary) {
  Json steps = Json::object();
  for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
    Json& labels = steps[std::string(kOutcomes[i])] = Json::array();
    for (const Label& label : summary.steps[i]) labels.push_back(label.text());
  }
  return steps;
}

class JsonReporter final : public Reporter {
 public:
  void event(const Event& event) override { std::visit(Writer(), event); }

  void finished(const Summary& summary, const Tally& tally) override {
    Json json = begin("finished");
    json["ok"] = summary.exit_code == 0;
    json["exit_code"] = summary.exit_code;
    json["duration_ms"] = summary.duration_ms;
    json["steps"] = steps_json(summary);
    json["uploaded"] = {{"objects", tally.uploaded_objects.load()}, {"bytes", tally.uploaded_bytes.load()}};
    json["deleted"] = {{"objects", tally.deleted_objects.load()}};
    json["pushed"] = {{"manifests", tally.pushed_manifests.load()},
                      {"layers", tally.pushed_layers.load()},
                      {"bytes", tally.pushed_bytes.load()}};
    json["submitted"] = tally.submitted.load();
    json["reused"] = tally.reused_jobs.load();
    Json& requests = json["requests"] = Json::object();
    for (std::size_t i = 0; i < kMethods.size(); ++i)
      requests[std::string(kMethods[i])] = tally.requests[i].load();
    json["hashed"] = {{"files", tally.hashed_files.load()}, {"bytes", tally.hashed_bytes.load()}};
    json["stats"] = {{"files", tally.stats_files.load()}};
    write(json);
  }
};

}  // namespace

std::unique_ptr<Reporter> make_json_reporter() { return std::make_unique<JsonReporter>(); }

}  // namespace trainmake
