#include "engine/cli/terminal.h"

#include <sys/ioctl.h>

namespace trainmake {

std::size_t terminal_width(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualWidth;
}

}  // namespace trainmake
