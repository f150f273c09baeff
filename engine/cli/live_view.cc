#include "engine/cli/live_view.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/cli/report.h"

namespace trainmake {
namespace {

constexpr std::size_t kLabelColumns = 16;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kSteadyRateNs = 1'000'000'000;  // before that a rate says nothing

constexpr std::string_view kRed = "\x1b[31m", kDim = "\x1b[2m", kPlain = "\x1b[0m";

// Whole seconds, so that the display moves once a second and not with every redraw.
std::string elapsed_text(std::int64_t ns) {
  const std::int64_t seconds = ns / (1000 * kNsPerMs);
  return seconds < 60 ? cat(seconds, " s") : human_duration(seconds * 1000);
}

std::size_t columns_of(char32_t code_point) {
  const bool wide =
      (code_point >= 0x1100 && code_point <= 0x115f) || (code_point >= 0x2e80 && code_point <= 0xa4cf) ||
      (code_point >= 0xac00 && code_point <= 0xd7a3) || (code_point >= 0xf900 && code_point <= 0xfaff) ||
      (code_point >= 0xfe30 && code_point <= 0xfe6f) || (code_point >= 0xff00 && code_point <= 0xff60) ||
      (code_point >= 0x1f300 && code_point <= 0x1faff) || (code_point >= 0x20000 && code_point <= 0x3fffd);
  return wide ? 2 : 1;
}

// REQUIRES: UTF-8, as `printable` makes it.
char32_t take_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t code_point = size == 1 ? lead : lead & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size && i < text.size(); ++i)
    code_point = code_point << 6U | (static_cast<unsigned char>(text[i]) & 0x3fU);
  text.remove_prefix(std::min(size, text.size()));
  return code_point;
}

std::string progress_text(const Progress& progress) {
  const auto amount = [&](std::uint64_t count) { return progress.bytes ? human_bytes(count) : cat(count); };
  return cat(progress.what, " ", amount(progress.done),
             progress.total == 0 ? std::string() : cat(" of ", amount(progress.total)));
}

}  // namespace

std::string fit_columns(std::string_view text, std::size_t width) {
  std::size_t columns = 0;
  std::string fitting;  // what still fits when `…` follows
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view before = rest;
    columns += columns_of(take_code_point(rest));
    if (columns > width) return width == 0 ? std::string() : fitting + "…";
    if (columns < width) fitting += before.substr(0, before.size() - rest.size());
  }
  return std::string(text);
}

std::string LiveView::note(const Event& event, std::int64_t now_ns) {
  if (began_ns_ == 0) began_ns_ = now_ns;
  return std::visit([&](const auto& each) { return on(each, now_ns); }, event);
}

LiveView::Running* LiveView::find(const Label& label) {
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [&](const Running& running) { return running.label == label; });
  return found == running_.end() ? nullptr : &*found;
}

std::string LiveView::shown(const Label& label) const {
  std::string text = printable(label.shortest_from(here_));
  if (text.size() < kLabelColumns) text.append(kLabelColumns - text.size(), ' ');
  return text;
}

std::string LiveView::on(const StepStarted& event, std::int64_t now_ns) {
  if (find(event.label) == nullptr) running_.push_back({event.label, now_ns});
  return "";
}

std::string LiveView::on(const StepEnded& event, std::int64_t) {
  std::erase_if(running_, [&](const Running& running) { return running.label == event.label; });
  ++done_;
  static constexpr std::string_view kWords[] = {"done", "", "reused", "failed", "skipped", "still running"};
  const std::string_view word = kWords[static_cast<std::size_t>(event.outcome)];
  if (word.empty()) return "";
  std::string note = printable(event.note);
  if (event.duration_ms >= 1000) note += cat(note.empty() ? "" : ", ", human_duration(event.duration_ms));
  const bool red = colour_ && event.outcome == Outcome::kFailed;
  return cat(shown(event.label), "  ", red ? kRed : "", word, red ? kPlain : "", note.empty() ? "" : ": ",
             note, "\n");
}

std::string LiveView::on(const LogLine& event, std::int64_t) const {
  return cat(colour_ ? kDim : "", shown(event.label), "  |", colour_ ? kPlain : "", " ",
             printable(event.line), "\n");
}

std::string LiveView::on(const Progress& event, std::int64_t now_ns) {
  Running* running = find(event.label);
  if (running == nullptr) return "";
  if (running->progress.what != event.what) {
    running->progress_began_ns = now_ns;
    running->progress_began_at = event.done;
  }
  running->progress = event;
  return "";
}

std::string LiveView::on(const Message& event, std::int64_t) const {
  return event.label.kind.empty() ? cat(printable(event.text), "\n")
                                  : cat(shown(event.label), "  ", printable(event.text), "\n");
}

std::string LiveView::on(const Attached& event, std::int64_t now_ns) const {
  return on(Message{event.label, event.text}, now_ns);
}

std::string LiveView::on(const Problem& event, std::int64_t) const {
  const std::string text = error_text(event.error);
  constexpr std::string_view kWord = "error:";
  if (!colour_ || !text.starts_with(kWord)) return text;
  return cat(kRed, kWord, kPlain, text.substr(kWord.size()));
}

std::string LiveView::running_line(const Running& running, std::int64_t now_ns) const {
  std::string text = cat(shown(running.label), "  ");
  if (!running.progress.what.empty()) {
    text += progress_text(running.progress);
    const std::int64_t passed_ns = now_ns - running.progress_began_ns;
    const std::uint64_t moved =
        running.progress.done - std::min(running.progress.done, running.progress_began_at);
    if (running.progress.bytes && moved > 0 && passed_ns >= kSteadyRateNs) {
      text += cat(", ", human_bytes(moved * 1000 / static_cast<std::uint64_t>(passed_ns / kNsPerMs)), "/s");
    }
    text += ", ";
  }
  return text + elapsed_text(now_ns - running.began_ns);
}

std::vector<std::string> LiveView::block(std::size_t width, std::int64_t now_ns) const {
  std::vector<std::string> lines;
  if (running_.empty()) return lines;
  const std::size_t room = kMostLines - 1;
  const std::size_t listed = running_.size() <= room ? running_.size() : room - 1;
  for (std::size_t i = 0; i < listed; ++i)
    lines.push_back(fit_columns(running_line(running_[i], now_ns), width));
  if (listed < running_.size())
    lines.push_back(fit_columns(cat("and ", running_.size() - listed, " more"), width));
  const std::string status = fit_columns(
      cat(done_, " done, ", running_.size(), " running, ", elapsed_text(now_ns - began_ns_)), width);
  lines.push_back(colour_ ? cat(kDim, status, kPlain) : status);
  return lines;
}

}  // namespace trainmake
