// Namespaces of a child's own: its mounts are seen by nobody else, and all that it starts goes with it,
// however it ends. It is root there, whoever we are. Started by Child alone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trainmake {

inline constexpr int kHandedOver = 200;  // a descriptor that nobody else of the child has

// The child's program ends when it has started something, whose end is then the child's.
struct Detached {
  std::string pid_file;              // in which the program says what that is
  std::vector<std::string> tidy_up;  // a command, [0] a path, when all in there has ended; empty is none
};

struct Enclosure {
  // An empty folder, in memory while the child lives; `files` lie in it, of us alone. "" is none.
  std::string memory;
  std::map<std::string, std::string> files;  // name → content
  std::string handed_over;                   // one of them, open for the child as kHandedOver; "" is none
  // Mounts overlayfs at `root` with `overlay`, whose paths are seen from `layers`. "" is none.
  std::string root, layers, overlay;
  bool network = false;  // the host's; else none but loopback
  std::optional<Detached> detached = {};
};

}  // namespace trainmake
