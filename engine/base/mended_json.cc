#include "engine/base/mended_json.h"

#include <algorithm>
#include <optional>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEscapedReplacement = "\\ufffd";
constexpr std::size_t kEscape = 6;  // `\ud83d`

// The bytes of the character that begins `text`; 0 when it is none.
std::size_t character_size(std::string_view text) {
  for (std::size_t size = 1; size <= std::min<std::size_t>(4, text.size()); ++size) {
    if (is_utf8(text.substr(0, size))) return size;
  }
  return 0;
}

std::optional<unsigned> code_at(std::string_view text) {
  if (text.size() < kEscape || !text.starts_with("\\u")) return std::nullopt;
  return whole_number<unsigned>(text.substr(2, 4), 16);
}

bool is_high(unsigned code) { return code >= 0xD800 && code <= 0xDBFF; }
bool is_low(unsigned code) { return code >= 0xDC00 && code <= 0xDFFF; }

// What begins with a backslash: appended, and how many bytes of it.
std::size_t append_escape(std::string& out, std::string_view text) {
  const std::optional<unsigned> code = code_at(text);
  std::size_t size = std::min<std::size_t>(2, text.size());
  if (code) {
    const std::optional<unsigned> next = is_high(*code) ? code_at(text.substr(kEscape)) : std::nullopt;
    const bool is_pair = next && is_low(*next);
    size = is_pair ? 2 * kEscape : kEscape;
    if (!is_pair && (is_high(*code) || is_low(*code))) {
      out += kEscapedReplacement;
      return size;
    }
  } else if (text.size() > 1 && character_size(text.substr(1)) != 1) {
    size = 1;
  }
  out += text.substr(0, size);
  return size;
}

std::string escaped_control(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(c);
  return cat("\\u00", kDigits[code >> 4U], kDigits[code & 15U]);
}

}  // namespace

std::string mended_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (std::size_t i = 0; i < json.size();) {
    const char c = json[i];
    if (in_string && c == '\\') {
      i += append_escape(out, json.substr(i));
      continue;
    }
    if (c == '"') in_string = !in_string;
    const std::size_t size = character_size(json.substr(i));
    if (size == 0)
      out += kReplacement;
    else if (in_string && static_cast<unsigned char>(c) < 0x20)
      out += escaped_control(c);
    else
      out += json.substr(i, size);
    i += std::max<std::size_t>(size, 1);
  }
  return out;
}

}  // namespace trainmake
