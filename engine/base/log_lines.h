// Cuts a log that arrives in pieces into lines. What a carriage return overwrote is gone, as on a terminal; a
// line that has no end in sight is cut.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace trainmake {

class LogLines {
 public:
  static constexpr std::size_t kLongest = 64U << 10U;
  using Sink = std::function<void(std::string_view line)>;

  void add(std::string_view bytes, const Sink& sink);
  void finish(const Sink& sink);  // the last line, when nothing ended it

 private:
  void tell(const Sink& sink);

  std::string line_;
};

// The last ten, to tell with a failure.
class LastLines {
 public:
  void add(std::string line) {
    lines_.push_back(std::move(line));
    if (lines_.size() > 10) lines_.pop_front();
  }
  const std::deque<std::string>& all() const { return lines_; }

 private:
  std::deque<std::string> lines_;
};

}  // namespace trainmake
