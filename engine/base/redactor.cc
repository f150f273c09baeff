#include "engine/base/redactor.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/base/encoding.h"
#include "engine/base/text.h"

namespace trainmake {

std::vector<std::string> parts_of_secret(std::string_view secret, std::size_t telling) {
  while (secret.ends_with('\n') || secret.ends_with('\r')) secret.remove_suffix(1);
  if (secret.empty()) return {};
  std::vector<std::string> parts{std::string(secret)};
  if (secret.find('\n') == secret.npos) return parts;
  for (const std::string& line : split(secret, '\n')) {
    if (trim(line).size() >= telling) parts.emplace_back(trim(line));
  }
  return parts;
}

namespace {

std::string replaced(std::string_view text, std::string_view what, std::string_view by) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool found = text.substr(at).starts_with(what);
    out += found ? by : text.substr(at, 1);
    at += found ? what.size() : 1;
  }
  return out;
}

std::string with_small_digits(std::string encoded) {
  for (std::size_t at = encoded.find('%'); at < encoded.size(); at = encoded.find('%', at + 1)) {
    for (std::size_t i = at + 1; i < std::min(at + 3, encoded.size()); ++i) {
      if (encoded[i] >= 'A' && encoded[i] <= 'F') encoded[i] = static_cast<char>(encoded[i] - 'A' + 'a');
    }
  }
  return encoded;
}

// As a string of JSON has it between its quotes.
std::string json_escaped(const std::string& text) {
  std::string out = replaced(replaced(text, "\\", "\\\\"), "\"", "\\\"");
  for (const auto& [plain, escaped] : {std::pair("\n", "\\n"), {"\r", "\\r"}, {"\t", "\\t"}})
    out = replaced(out, plain, escaped);
  return out;
}

// As services quote what they were asked: out of a form, an address, a document or a header.
std::set<std::string> spellings_of(const std::string& secret) {
  const std::string encoded = percent_encoded(secret);
  std::set<std::string> all = {secret, base64_of(secret), replaced(secret, "/", "\\/")};
  const std::string escaped = json_escaped(secret);
  // A document that is a string of another one is escaped twice.
  for (const std::string& one : {escaped, json_escaped(escaped)}) {
    all.insert(one);
    all.insert(replaced(one, "/", "\\/"));
  }
  for (const std::string& one : {encoded, replaced(encoded, "%2F", "/"), replaced(encoded, "%20", "+")}) {
    all.insert(one);
    all.insert(with_small_digits(one));
  }
  return all;
}

}  // namespace

Redactor::Redactor(const std::vector<std::string>& secrets, std::size_t telling) {
  for (const std::string& secret : secrets) {
    for (const std::string& part : parts_of_secret(secret, telling)) {
      for (const std::string& spelling : spellings_of(part))
        parts_[static_cast<unsigned char>(spelling[0])].push_back(spelling);
    }
  }
  for (std::vector<std::string>& parts : parts_) {
    std::stable_sort(parts.begin(), parts.end(),
                     [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  }
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
                                    [&](char byte) { return !beginning_with(byte).empty(); });
    out.append(text.begin() + static_cast<std::ptrdiff_t>(at), plain);
    at = static_cast<std::size_t>(plain - text.begin());
    if (at == text.size()) break;
    const std::string_view rest = text.substr(at);
    const std::vector<std::string>& parts = beginning_with(rest[0]);
    const auto found = std::find_if(parts.begin(), parts.end(), [&](const std::string& part) {
      return rest.starts_with(part) || (!is_end && std::string_view(part).starts_with(rest));
    });
    if (found == parts.end()) {
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
