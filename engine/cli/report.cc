#include "engine/cli/report.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>

#include "engine/base/text.h"

namespace trainmake {
namespace {

bool stdout_was_written = false;
int stdout_errno = 0;  // of the first write that failed

std::optional<Redactor>& hidden() {
  static std::optional<Redactor> redactor;
  return redactor;
}

bool write_shown(std::string_view text, std::FILE* to) {
  const std::string shown = hidden() ? hidden()->redact(text) : std::string();
  if (hidden()) text = shown;
  return std::fwrite(text.data(), 1, text.size(), to) == text.size();
}

void part(std::string& text, std::size_t count, std::string_view what) {
  if (count == 0) return;
  text += cat(text.empty() ? "" : ", ", count, " ", what);
}

Error stdout_error(int error_number) {
  Error error = system_error("", "", error_number);  // for its hint
  const char* reason = strerrordesc_np(error_number);
  error.message = cat("Cannot write to the standard output: ", reason != nullptr ? reason : "Unknown error");
  return std::move(error).because(Blame::kStep);
}

}  // namespace

std::string error_text(const Error& error) {
  std::string text = "error: ";
  if (error.where.known()) text += cat(printable(error.where.text()), ": ");
  text += error.message;
  if (!error.hint.empty()) text += cat("\n  hint: ", error.hint);
  return text + "\n";
}

std::string summary_text(const Summary& summary, const Tally& tally) {
  const bool idle = summary.of(Outcome::kRan).empty() && summary.of(Outcome::kReused).empty() &&
                    summary.of(Outcome::kFailed).empty() && summary.of(Outcome::kSkipped).empty() &&
                    summary.of(Outcome::kDetached).empty();
  if (idle && summary.exit_code == 0) return "nothing to do";
  if (idle && summary.of(Outcome::kUpToDate).empty()) return "";  // it never came to any step
  std::string text;
  part(text, summary.of(Outcome::kRan).size(), "ran");
  part(text, summary.of(Outcome::kReused).size(), "reused");
  part(text, summary.of(Outcome::kUpToDate).size(), "up to date");
  part(text, summary.of(Outcome::kFailed).size(), "failed");
  part(text, summary.of(Outcome::kSkipped).size(), "skipped");
  part(text, summary.of(Outcome::kDetached).size(), "still running");
  if (const std::uint64_t layers = tally.pushed_layers; layers != 0)
    text += cat("; ", plural(layers, "layer"), ", ", human_bytes(tally.pushed_bytes));
  if (const std::uint64_t objects = tally.uploaded_objects; objects != 0)
    text += cat("; ", plural(objects, "object"), ", ", human_bytes(tally.uploaded_bytes));
  if (const std::uint64_t jobs = tally.submitted; jobs != 0) text += cat("; ", plural(jobs, "job"));
  return cat(text, " in ", human_duration(summary.duration_ms));
}

std::string time_text(std::int64_t since_1970_ns) {
  const std::time_t seconds = since_1970_ns / 1'000'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(since_1970_ns / 1'000'000 % 1000));
  return text;
}

void hide_in_output(Redactor redactor) { hidden() = std::move(redactor); }

void write_stdout(std::string_view text) {
  stdout_was_written = true;
  const bool whole = write_shown(text, stdout);
  if ((!whole || std::fflush(stdout) != 0) && stdout_errno == 0) stdout_errno = errno;
}

Result<void> write_stdout_bytes(std::string_view bytes) {
  stdout_was_written = true;
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size()) return {};
  return fail(stdout_error(errno));
}

Result<void> close_stdout() {
  // Some file systems tell of a full disk no sooner.
  if (stdout_was_written && std::fclose(stdout) != 0 && stdout_errno == 0) stdout_errno = errno;
  stdout_was_written = false;
  if (stdout_errno == 0 || stdout_errno == EPIPE) return {};
  return fail(stdout_error(stdout_errno));
}

void write_stderr(std::string_view text) {
  write_shown(text, stderr);
  std::fflush(stderr);
}

}  // namespace trainmake
