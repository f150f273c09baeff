// Plain lines on stderr, for pipes, files and CI: one per thing that happened, none for what did not.
#include <algorithm>

#include "engine/base/text.h"
#include "engine/cli/report.h"

namespace trainmake {
namespace {

std::string padded(std::string_view text, std::size_t width) {
  return cat(text, std::string(width - std::min(width, text.size()), ' '));
}

class PlainReporter final : public Reporter {
 public:
  explicit PlainReporter(std::string here) : here_(std::move(here)) {}

  void event(const Event& event) override {
    std::visit([this](const auto& each) { on(each); }, event);
  }

  void finished(const Summary& summary, const Tally& tally) override {
    if (const std::string text = summary_text(summary, tally); !text.empty()) write_stderr(text + "\n");
  }

 private:
  std::string shown(const Label& label) { return padded(label.shortest_from(here_), 16); }

  void on(const StepStarted& event) {
    if (event.label.kind == "job") write_stderr(cat(shown(event.label), "  started\n"));
  }
  void on(const StepEnded& event) {
    static constexpr std::string_view kWords[] = {"done", "", "reused", "failed", "skipped", "still running"};
    const std::string_view word = kWords[static_cast<std::size_t>(event.outcome)];
    if (word.empty()) return;
    std::string note = event.note;
    const bool says_itself = event.label.kind == "job";  // how long it ran, which is not how long we did
    if (event.duration_ms >= 1000 && !says_itself)
      note += cat(note.empty() ? "" : ", ", human_duration(event.duration_ms));
    write_stderr(cat(shown(event.label), "  ", word, note.empty() ? "" : ": ", note, "\n"));
  }
  void on(const LogLine& event) {
    write_stderr(cat(shown(event.label), "  | ", printable(event.line), "\n"));
  }
  void on(const Progress&) {}
  void on(const Message& event) {
    write_stderr(event.label.kind.empty() ? event.text + "\n"
                                          : cat(shown(event.label), "  ", event.text, "\n"));
  }
  void on(const Attached& event) { on(Message{event.label, event.text}); }
  void on(const Problem& event) { write_stderr(error_text(event.error)); }

  std::string here_;
};

}  // namespace

std::unique_ptr<Reporter> make_plain_reporter(std::string here) {
  return std::make_unique<PlainReporter>(std::move(here));
}

}  // namespace trainmake
