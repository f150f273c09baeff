#include "engine/cli/ask_person.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/text.h"
#include "engine/cli/report.h"

namespace trainmake {
namespace {

constexpr std::size_t kLongestAnswer = std::size_t{64} << 10U;

// The terminal gives every key as it is typed, shows none and acts on none; as it was before at the end.
class SilentTerminal {
 public:
  SilentTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool changed_ = false;
};

// 0 at the end of what is typed.
Result<char> next_byte() {
  char byte = 0;
  ssize_t count = 0;
  do count = ::read(STDIN_FILENO, &byte, 1);
  while (count < 0 && errno == EINTR);
  if (count < 0) return fail(system_error("Cannot read", "standard input", errno));
  return count == 0 ? '\0' : byte;
}

constexpr char kControlC = 3;
constexpr char kControlD = 4;
constexpr char kBackspaces[] = {8, 127};

bool ends_line(char byte) { return byte == '\n' || byte == '\r' || byte == '\0' || byte == kControlD; }

Result<std::string> read_line() {
  std::string line;
  while (line.size() < kLongestAnswer) {
    TRY_ASSIGN(const char byte, next_byte());
    if (ends_line(byte)) break;
    if (byte == kControlC) return fail(interrupted_error());
    if (byte == kBackspaces[0] || byte == kBackspaces[1]) {
      if (!line.empty()) line.pop_back();
    } else {
      line += byte;
    }
  }
  return line;
}

}  // namespace

bool somebody_is_there() { return ::isatty(STDIN_FILENO) != 0; }

Result<std::string> ask_person(std::string_view question) {
  write_stderr(question);
  return read_line();
}

Result<std::string> ask_for_secret(std::string_view question) {
  Result<std::string> line;
  {
    const SilentTerminal silent;  // before somebody is asked, who may be quick
    write_stderr(question);
    line = read_line();
  }
  write_stderr("\n");
  return line;
}

Result<std::string> read_secret() {
  std::string text;
  while (text.size() < kLongestAnswer) {
    TRY_ASSIGN(const char byte, next_byte());
    if (byte == '\0') break;
    text += byte;
  }
  for (const char end : {'\n', '\r'}) {
    if (text.ends_with(end)) text.pop_back();
  }
  return text;
}

}  // namespace trainmake
