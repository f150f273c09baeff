// Cuts a log that arrives in pieces into lines. What a carriage return overwrote is gone, as on a terminal; a
// line that has no end in sight is cut.
#pragma once

#include <functional>
#include <string>
#include <string_view>

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

}  // namespace trainmake
