// A text that nobody is shown: a password, a private key, a token. Whatever prints, joins or hashes texts
// does not take one; where it is spent (a signature, a header, a job's environment) it is revealed, in so
// many words.
#pragma once

#include <string>
#include <utility>

namespace trainmake {

class Secret {
 public:
  Secret() = default;
  // To become one costs no word; to be read does.
  Secret(std::string text) : text_(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  Secret(const char* text) : text_(text) {}             // NOLINT(google-explicit-constructor)
  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string text_;
};

}  // namespace trainmake
