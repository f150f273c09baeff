// Small things about text: joining, quoting foreign bytes, sizes and times as people read them, did-you-mean.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

namespace text_detail {
inline void append(std::string& out, std::string_view part) { out += part; }
inline void append(std::string& out, char part) { out += part; }
template <std::integral T>
void append(std::string& out, T part) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, part).ptr);
}
}  // namespace text_detail

// cat("a ", 3, " b") == "a 3 b"
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::string out;
  (text_detail::append(out, parts), ...);
  return out;
}

std::vector<std::string> split(std::string_view text, char separator);  // "" gives no part
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string_view trim(std::string_view text);
bool is_utf8(std::string_view text);

// Text that is safe on a terminal and in JSON: control characters and bytes that are no UTF-8 become `\x1b`.
std::string printable(std::string_view text);
// The same in backticks, for messages.
std::string quoted(std::string_view text);
// As a person types it to a shell: `a b` in quotation marks.
std::string shell_word(std::string_view text);
// Exact matches, or else argument-dependent lookup would find std::quoted first.
inline std::string quoted(const std::string& text) { return quoted(std::string_view(text)); }
inline std::string quoted(std::string& text) { return quoted(std::string_view(text)); }  // or it is std's
inline std::string quoted(const char* text) { return quoted(std::string_view(text)); }

std::string human_bytes(std::uint64_t bytes);                    // 0 B, 512 B, 1.5 KiB, 2.0 GiB
std::string human_duration(std::int64_t milliseconds);           // 12 ms, 2.1 s, 3 min 20 s, 2 h 5 min
std::string plural(std::uint64_t count, std::string_view noun);  // "1 file", "3 files"

// A whole number that is all of `text`, and that Number can hold; `base` is at most 36.
template <std::integral Number>
std::optional<Number> whole_number(std::string_view text, int base = 10) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A number as the shortest text that reads back as the same number; 3.0 is "3".
std::string number_text(double number);
std::optional<double> parse_number(std::string_view text);

// The candidate nearest to `word`, when it is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);
// " Did you mean `x`?" without the leading blank, or empty.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace trainmake
