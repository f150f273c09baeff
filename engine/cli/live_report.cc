// A calm live display on a terminal: what happened scrolls by, what runs stands below it and is drawn again
// in place, ten times a second at most. What it says is in live_view.cc.
#include <unistd.h>

#include "engine/base/host.h"
#include "engine/base/text.h"
#include "engine/cli/live_view.h"
#include "engine/cli/report.h"
#include "engine/cli/terminal.h"

namespace trainmake {
namespace {

constexpr std::int64_t kPauseNs = 100'000'000;

class LiveReporter final : public Reporter {
 public:
  LiveReporter(std::string here, bool colour) : view_(std::move(here), colour) {}
  ~LiveReporter() override { write_stderr(erase()); }

  void event(const Event& event) override {
    const std::int64_t now_ns = real_clock().steady_ns();
    draw(view_.note(event, now_ns), now_ns);
  }

  void tick() override { draw("", real_clock().steady_ns()); }

  void finished(const Summary& summary, const Tally& tally) override {
    std::string text = summary_text(summary, tally);
    if (!text.empty()) text += '\n';
    write_stderr(erase() + text);
  }

 private:
  // What stays is written at once; the block may wait for its turn, and is left alone while it would say the
  // same.
  void draw(const std::string& staying, std::int64_t now_ns) {
    const bool is_due = now_ns - drawn_ns_ >= kPauseNs;
    if (staying.empty() && !is_due) return;
    if (!is_due) return write_stderr(erase() + staying);
    // One column is left free: some terminals begin a new line with the last one.
    const std::vector<std::string> lines = view_.block(terminal_width(STDERR_FILENO) - 1, now_ns);
    if (staying.empty() && lines == shown_) return;
    std::string text = cat(erase(), staying);
    for (const std::string& line : lines) text += line + "\n";
    write_stderr(text);
    if (!lines.empty()) drawn_ns_ = now_ns;
    shown_ = lines;
  }

  // Takes the block away: up to its first line, and all from there.
  std::string erase() {
    if (shown_.empty()) return "";
    std::string text = cat("\r\x1b[", shown_.size(), "A\x1b[J");
    shown_.clear();
    return text;
  }

  LiveView view_;
  std::vector<std::string> shown_;  // the block as it stands
  std::int64_t drawn_ns_ = 0;
};

}  // namespace

std::unique_ptr<Reporter> make_live_reporter(std::string here, bool colour) {
  return std::make_unique<LiveReporter>(std::move(here), colour);
}

}  // namespace trainmake
