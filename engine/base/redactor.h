// Replaces secrets by `***` in bytes that arrive in pieces: a secret cut in two is found, and nothing of it
// is let through before it is known whether it is one. Knows nothing of lines or files.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

class Redactor {
 public:
  explicit Redactor(std::vector<std::string> secrets);

  // What can be told already of the bytes so far.
  std::string pass(std::string_view bytes);
  // The rest, at the end.
  std::string finish();
  // A whole text at once.
  std::string redact(std::string_view text) const;

 private:
  std::size_t scan(std::string_view text, bool is_end, std::string& out) const;

  std::vector<std::string> secrets_;  // the longest first, none empty
  std::array<bool, 256> first_{};     // bytes that begin one
  std::string held_;
};

}  // namespace trainmake
