#include "engine/base/redactor.h"

#include <algorithm>

namespace trainmake {

Redactor::Redactor(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {
  std::erase_if(secrets_, [](const std::string& secret) { return secret.empty(); });
  std::stable_sort(secrets_.begin(), secrets_.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  for (const std::string& secret : secrets_) first_[static_cast<unsigned char>(secret[0])] = true;
}

std::string Redactor::pass(std::string_view bytes) {
  held_ += bytes;
  std::string out;
  held_.erase(0, scan(held_, false, out));
  return out;
}

std::string Redactor::finish() {
  std::string out;
  scan(held_, true, out);
  held_.clear();
  return out;
}

std::string Redactor::redact(std::string_view text) const {
  std::string out;
  scan(text, true, out);
  return out;
}

// Returns how much of `text` is dealt with: what could be the beginning of a secret is not, unless it is the
// end.
std::size_t Redactor::scan(std::string_view text, bool is_end, std::string& out) const {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto plain = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                                    [&](char byte) { return first_[static_cast<unsigned char>(byte)]; });
    out.append(text.begin() + static_cast<std::ptrdiff_t>(at), plain);
    at = static_cast<std::size_t>(plain - text.begin());
    if (at == text.size()) break;
    const std::string_view rest = text.substr(at);
    const auto found = std::find_if(secrets_.begin(), secrets_.end(), [&](const std::string& secret) {
      return rest.starts_with(secret) || (!is_end && std::string_view(secret).starts_with(rest));
    });
    if (found == secrets_.end()) {
      out += text[at++];
    } else if (rest.starts_with(*found)) {
      out += "***";
      at += found->size();
    } else {
      break;
    }
  }
  return at;
}

}  // namespace trainmake
