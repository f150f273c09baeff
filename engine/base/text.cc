// Text for people and for terminals, byte by byte; no locale is asked. Knows nothing of what the text is
// about.
#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace trainmake {

namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

unsigned byte_at(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

// Bytes of the UTF-8 sequence that starts `text`, 0 when it is none (RFC 3629, table 3-7 of Unicode).
std::size_t utf8_length(std::string_view text) {
  const unsigned first = byte_at(text, 0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned lowest = 0x80;
  unsigned highest = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) lowest = 0xA0;   // shorter forms exist
    if (first == 0xED) highest = 0x9F;  // surrogates
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) lowest = 0x90;
    if (first == 0xF4) highest = 0x8F;  // above U+10FFFF
  }
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (byte_at(text, i) < lowest || byte_at(text, i) > highest) return 0;
    lowest = 0x80;
    highest = 0xBF;
  }
  return length;
}

// Whether the valid sequence is a control character: C0, DEL, or C1 (C2 80 to C2 9F).
bool is_control(std::string_view sequence) {
  const unsigned first = byte_at(sequence, 0);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return sequence.size() == 2 && first == 0xC2 && byte_at(sequence, 1) < 0xA0;
}

void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out += "\\x";
    out += digits[byte_at(bytes, i) >> 4U];
    out += digits[byte_at(bytes, i) & 15U];
  }
}

// One decimal, as 1.5; tenths is ten times the number.
std::string with_tenths(std::uint64_t tenths) { return cat(tenths / 10, '.', tenths % 10); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`; letter case is free.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  std::size_t begin = 0;
  for (std::size_t end = text.find(separator); end != text.npos; end = text.find(separator, begin)) {
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  parts.emplace_back(text.substr(begin));
  return parts;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view sequence = text.substr(0, std::max<std::size_t>(length, 1));
    if (length == 0 || is_control(sequence)) {
      append_escaped(out, sequence);
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

std::string shell_word(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_./+=@%,:-").find(c) != std::string_view::npos;
  });
  if (plain) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return printable(word + "'");
}

std::string quoted(std::string_view text) { return cat('`', printable(text), '`'); }

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return cat(bytes, " B");
  double amount = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (amount >= 1023.95 && unit + 1 < units.size()) {
    amount /= 1024;
    ++unit;
  }
  return cat(with_tenths(static_cast<std::uint64_t>(std::llround(amount * 10))), ' ', units[unit]);
}

std::string human_duration(std::int64_t milliseconds) {
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(milliseconds, 0));
  if (ms < 1000) return cat(ms, " ms");
  if (ms < 59'950) return cat(with_tenths((ms + 50) / 100), " s");
  const std::uint64_t seconds = (ms + 500) / 1000;
  if (seconds < 3600) return cat(seconds / 60, " min ", seconds % 60, " s");
  const std::uint64_t minutes = (seconds + 30) / 60;
  return cat(minutes / 60, " h ", minutes % 60, " min");
}

std::string plural(std::uint64_t count, std::string_view noun) {
  if (count == 1) return cat("1 ", noun);
  const bool ends_in_y = noun.size() > 1 && noun.ends_with('y') &&
                         std::string_view("aeiou").find(noun[noun.size() - 2]) == std::string_view::npos;
  if (ends_in_y) return cat(count, ' ', noun.substr(0, noun.size() - 1), "ies");
  const bool hisses =
      noun.ends_with('s') || noun.ends_with('x') || noun.ends_with("ch") || noun.ends_with("sh");
  return cat(count, ' ', noun, hisses ? "es" : "s");
}

std::string number_text(double number) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  return {buffer.data(), end};
}

// Finite numbers alone: `nan` and `inf` are more often names than numbers.
std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

// No person types more, and counting edits takes the square of it.
constexpr std::size_t kLongestName = 256;

// Near enough: an edit for every three letters, or the beginning of the candidate.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  const std::string* best = nullptr;
  std::size_t best_edits = 0;
  for (const std::string& candidate : candidates) {
    const std::size_t longest = std::max(word.size(), candidate.size());
    if (longest > kLongestName) continue;
    const std::size_t most = std::max<std::size_t>(longest / 3, 1);
    const bool begins = word.size() >= 3 && std::string_view(candidate).starts_with(word);
    if (!begins && longest - std::min(word.size(), candidate.size()) > most) continue;
    const std::size_t edits = begins ? std::min(most, longest - word.size()) : edits_between(word, candidate);
    if (edits > most || edits >= std::min(word.size(), candidate.size())) continue;
    if (best == nullptr || edits < best_edits) {
      best = &candidate;
      best_edits = edits;
    }
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const auto meant = nearest(word, candidates);
  return meant ? cat("Did you mean ", quoted(*meant), '?') : std::string();
}

}  // namespace trainmake
