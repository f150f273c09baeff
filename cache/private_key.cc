#include "cache/private_key.h"

namespace trainmake {

bool holds_private_key(std::string_view bytes) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kEnds[] = {"PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"};
  constexpr std::string_view kKind = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ";
  // By its rarest byte: every file that is digested is looked through.
  constexpr std::size_t kDashes = kBegin.find('B');
  for (std::size_t at = bytes.find('B', kDashes); at != bytes.npos; at = bytes.find('B', at + 1)) {
    if (bytes[at - 1] != '-' || bytes.substr(at - kDashes, kBegin.size()) != kBegin) continue;
    const std::string_view line = bytes.substr(at - kDashes + kBegin.size(), 80);
    for (const std::string_view last : kEnds) {
      const std::size_t end = line.find(last);
      if (end == line.npos || line.find_first_not_of(kKind) < end) continue;
      // Its first line ends there, or is said to end in a text: `\n`.
      const std::string_view after = line.substr(end + last.size());
      const std::size_t next = after.find_first_not_of(" \t");
      if (next != after.npos && std::string_view("\n\r\\").find(after[next]) != std::string_view::npos)
        return true;
    }
  }
  return false;
}

}  // namespace trainmake
