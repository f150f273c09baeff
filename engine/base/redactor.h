// Replaces secrets by `***` in bytes that arrive in pieces: a secret cut in two is found, and nothing of it
// is let through before it is known whether it is one. Of a secret of several lines, each is one by itself,
// too: logs are read, and told with a failure, by lines. Knows nothing of files.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

// Lines of secrets that are shorter stand in other texts by chance.
inline constexpr std::size_t kTellingLine = 4;

// What of a secret is looked for: all of it, without the line end behind it, and, when it has several lines,
// those of at least `telling` bytes.
std::vector<std::string> parts_of_secret(std::string_view secret, std::size_t telling = kTellingLine);

class Redactor {
 public:
  explicit Redactor(const std::vector<std::string>& secrets, std::size_t telling = kTellingLine);

  // What can be told already of the bytes so far.
  std::string pass(std::string_view bytes);
  // The rest, at the end.
  std::string finish();
  // A whole text at once.
  std::string redact(std::string_view text) const;

 private:
  const std::vector<std::string>& beginning_with(char byte) const {
    return parts_[static_cast<unsigned char>(byte)];
  }
  std::size_t scan(std::string_view text, bool is_end, std::string& out) const;

  std::array<std::vector<std::string>, 256> parts_;  // by their first byte, the longest first
  std::string held_;
};

}  // namespace trainmake
