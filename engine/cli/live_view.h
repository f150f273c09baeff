// What a live display shows, as text: lines that stay, and below them a block of what runs now. Pure: knows
// no terminal and no clock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/event.h"

namespace trainmake {

class LiveView {
 public:
  static constexpr std::size_t kMostLines = 10;

  LiveView(std::string here, bool colour) : here_(std::move(here)), colour_(colour) {}

  // What stays of an event, lines and all; empty when it only moves the block.
  std::string note(const Event& event, std::int64_t now_ns);
  // At most kMostLines lines, none wider than `width` columns. Empty when nothing runs.
  std::vector<std::string> block(std::size_t width, std::int64_t now_ns) const;

 private:
  struct Running {
    Label label;
    std::int64_t began_ns = 0;
    Progress progress = {};  // `what` empty: none yet
    std::int64_t progress_began_ns = 0;
    std::uint64_t progress_began_at = 0;
  };

  std::string on(const StepStarted& event, std::int64_t now_ns);
  std::string on(const StepEnded& event, std::int64_t now_ns);
  std::string on(const LogLine& event, std::int64_t now_ns) const;
  std::string on(const Progress& event, std::int64_t now_ns);
  std::string on(const Message& event, std::int64_t now_ns) const;
  std::string on(const Attached& event, std::int64_t now_ns) const;
  std::string on(const Problem& event, std::int64_t now_ns) const;
  std::string shown(const Label& label) const;
  std::string running_line(const Running& running, std::int64_t now_ns) const;
  Running* find(const Label& label);

  std::string here_;
  bool colour_;
  std::vector<Running> running_;  // in the order in which they started
  std::int64_t began_ns_ = 0;
  std::size_t done_ = 0;
};

// `text` cut so that it takes at most `width` columns on a terminal.
std::string fit_columns(std::string_view text, std::size_t width);

}  // namespace trainmake
