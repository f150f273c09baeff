#include "engine/base/log_lines.h"

#include <algorithm>

namespace trainmake {

void LogLines::add(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    line_ += piece.substr(0, kLongest - std::min(kLongest, line_.size()));
    if (end == bytes.npos) return;
    tell(sink);
    bytes.remove_prefix(end + 1);
  }
}

void LogLines::finish(const Sink& sink) {
  if (!line_.empty()) tell(sink);
}

void LogLines::tell(const Sink& sink) {
  std::string_view line = line_;
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (const std::size_t over = line.rfind('\r'); over != line.npos) line.remove_prefix(over + 1);
  sink(line);
  line_.clear();
}

}  // namespace trainmake
