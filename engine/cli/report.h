// What a person or a script sees of a run. Every reporter takes the same events and, at the end, the same
// summary. Thread rule: the owner's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/redactor.h"
#include "engine/model/event.h"

namespace trainmake {

class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void event(const Event& event) = 0;
  virtual void tick() {}  // time has passed, a few times a second
  virtual void finished(const Summary& summary, const Tally& tally) = 0;
};

// stdout for JSON; stderr for the others. `here` shortens labels.
std::unique_ptr<Reporter> make_json_reporter();
std::unique_ptr<Reporter> make_plain_reporter(std::string here);
// A live display; REQUIRES: stderr is a terminal.
std::unique_ptr<Reporter> make_live_reporter(std::string here, bool colour);
// Passes everything on to `inner`, and writes a Chrome trace to `path` at the end.
// REQUIRES: check_trace_path.
std::unique_ptr<Reporter> make_trace_reporter(std::unique_ptr<Reporter> inner, std::string path);
Result<void> check_trace_path(const std::string& path);  // it can be written now

// The text of an error: what, where, and what to do next.
std::string error_text(const Error& error);
// "3 ran, 2 up to date, 1 object (123 B) in 1.2 s", or "nothing to do".
std::string summary_text(const Summary& summary, const Tally& tally);
std::string time_text(std::int64_t since_1970_ns);  // 2026-01-31T12:00:00.123Z

// What cannot be written is not told at once: what a run records does not hang on who reads.
void write_stdout(std::string_view text);
// As it is, for what is no text; and what cannot be written is told at once.
Result<void> write_stdout_bytes(std::string_view bytes);
// The last of stdout: the first write of all that failed, as an error. A reader that went away is none.
Result<void> close_stdout();
void write_stderr(std::string_view text);
// What it hides is written no more, by either. REQUIRES: nobody writes meanwhile.
void hide_in_output(Redactor redactor);

}  // namespace trainmake
