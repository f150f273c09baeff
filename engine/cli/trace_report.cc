// --trace FILE: the run as a Chrome trace (trace_event format, complete events), a row per step that worked.
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/host.h"
#include "engine/base/text.h"
#include "engine/cli/report.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

class TraceReporter final : public Reporter {
 public:
  TraceReporter(std::unique_ptr<Reporter> inner, std::string path)
      : inner_(std::move(inner)), path_(std::move(path)), began_ns_(real_clock().steady_ns()) {}

  void event(const Event& event) override {
    if (const auto* started = std::get_if<StepStarted>(&event)) started_us_[started->label] = now_us();
    if (const auto* ended = std::get_if<StepEnded>(&event)) end(*ended);
    inner_->event(event);
  }

  void tick() override { inner_->tick(); }

  void finished(const Summary& summary, const Tally& tally) override {
    events_.push_back({{"name", "trainmake"},
                       {"cat", "run"},
                       {"ph", "X"},
                       {"ts", 0},
                       {"dur", now_us()},
                       {"pid", 1},
                       {"tid", 0},
                       {"args", {{"exit_code", summary.exit_code}}}});
    const Json trace = {{"traceEvents", events_}, {"displayTimeUnit", "ms"}};
    if (Result<void> written = write_file(real_file_system(), path_,
                                          trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
        !written) {
      inner_->event(Problem{written.error(), {}});
    }
    inner_->finished(summary, tally);
  }

 private:
  std::int64_t now_us() const { return (real_clock().steady_ns() - began_ns_) / 1000; }

  void end(const StepEnded& ended) {
    const auto found = started_us_.find(ended.label);
    if (found == started_us_.end()) return;
    events_.push_back(
        {{"name", ended.label.text()},
         {"cat", ended.label.kind},
         {"ph", "X"},
         {"ts", found->second},
         {"dur", now_us() - found->second},
         {"pid", 1},
         {"tid", events_.size() + 1},
         {"args", {{"outcome", kOutcomes[static_cast<std::size_t>(ended.outcome)]}, {"note", ended.note}}}});
    started_us_.erase(found);
  }

  std::unique_ptr<Reporter> inner_;
  std::string path_;
  std::int64_t began_ns_;
  std::map<Label, std::int64_t> started_us_;
  Json events_ = Json::array();
};

}  // namespace

// Tried out: no answer to a look tells of all that can be in the way. The folder is not made for it.
Result<void> check_trace_path(const std::string& path) {
  FileSystem& files = real_file_system();
  const std::string folder = path_join("/", path_folder(path));
  TRY_ASSIGN(const Stat around, files.look(folder, Links::kFollow));
  if (!around.is(FileKind::kFolder))
    return fail(
        user_error(cat("Cannot write the trace ", quoted(path), ": there is no folder ", quoted(folder))));
  TRY_ASSIGN(const Stat there, files.look(path, Links::kFollow));
  if (there.exists() && !there.is(FileKind::kFile))
    return fail(user_error(cat("Cannot write the trace ", quoted(path), ": it is no file")));
  if (auto writer = files.create(path); !writer) return fail(std::move(writer).error().because(Blame::kUser));
  return {};
}

std::unique_ptr<Reporter> make_trace_reporter(std::unique_ptr<Reporter> inner, std::string path) {
  return std::make_unique<TraceReporter>(std::move(inner), std::move(path));
}

}  // namespace trainmake
