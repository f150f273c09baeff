// Little-endian numbers and length-prefixed strings, for state that only we read. A Decoder that met the end
// too early stays failed, so a reader checks once, at its end.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/hash.h"

namespace trainmake {

class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}
  void byte(std::uint8_t value) { out_ += static_cast<char>(value); }
  void number(std::uint64_t value) {
    char bytes[8];
    for (char& byte : bytes) {
      byte = static_cast<char>(value & 0xffU);
      value >>= 8U;
    }
    out_.append(bytes, sizeof bytes);
  }
  void real(double value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    number(bits);
  }
  void string(std::string_view text) {
    number(text.size());
    out_ += text;
  }
  void strings(const std::vector<std::string>& texts) {
    number(texts.size());
    for (const std::string& text : texts) string(text);
  }
  void digest(const Digest128& digest) {
    number(digest.high);
    number(digest.low);
  }
  void digest(const Sha256& digest) {
    out_.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  }

 private:
  std::string& out_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }
  std::size_t left() const { return rest_.size(); }

  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) ok_ = false;
    if (!ok_) return {};
    std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::uint8_t byte() {
    std::string_view taken = take(1);
    return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken[0]);
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    std::string_view taken = take(8);
    for (std::size_t i = taken.size(); i-- > 0;) value = (value << 8U) | static_cast<std::uint8_t>(taken[i]);
    return value;
  }
  double real() {
    const std::uint64_t bits = number();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  std::string_view string() { return take(number()); }
  std::vector<std::string> strings() {
    std::vector<std::string> texts(count(8));
    for (std::string& text : texts) text = string();
    return texts;
  }
  Digest128 digest128() {
    const std::uint64_t high = number();
    return {high, number()};
  }
  Sha256 sha256() {
    Sha256 digest;
    std::string_view taken = take(digest.bytes.size());
    if (!taken.empty()) std::memcpy(digest.bytes.data(), taken.data(), taken.size());
    return digest;
  }
  // A count of things that take at least `smallest` bytes each: refuses one that the rest cannot hold.
  std::uint64_t count(std::uint64_t smallest) {
    const std::uint64_t value = number();
    if (smallest != 0 && value > rest_.size() / smallest) ok_ = false;
    return ok_ ? value : 0;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace trainmake
