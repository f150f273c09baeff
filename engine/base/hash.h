// The two digests. XXH3-128 answers "did it change?" on this machine; SHA-256 addresses what leaves it.
// Known-answer tests pin both: a changed digest would make every remembered result stale.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace trainmake {

struct Digest128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  std::string hex() const;  // 32 digits
  static std::optional<Digest128> parse(std::string_view hex);
  friend auto operator<=>(const Digest128&, const Digest128&) = default;
};

Digest128 digest_of(std::string_view bytes);

// Streams XXH3-128. The tagged calls delimit what they add, so that ("ab","c") and ("a","bc") differ.
class Hasher {
 public:
  Hasher();
  Hasher& raw(std::string_view bytes);
  Hasher& field(std::string_view bytes);  // length, then bytes
  Hasher& number(std::uint64_t value);    // eight bytes, little endian
  Digest128 finish() const;

 private:
  alignas(64) std::array<std::byte, 576> state_;
};

struct Sha256 {
  std::array<std::uint8_t, 32> bytes{};

  std::string hex() const;  // 64 digits
  static std::optional<Sha256> parse(std::string_view hex);
  friend auto operator<=>(const Sha256&, const Sha256&) = default;
};

Sha256 sha256_of(std::string_view bytes);

class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(Sha256Hasher&& other) noexcept;
  Sha256Hasher& operator=(Sha256Hasher&& other) noexcept;
  Sha256Hasher& raw(std::string_view bytes);
  Sha256 finish();  // REQUIRES: called once, last

 private:
  void* context_;  // EVP_MD_CTX
};

std::string hex_of(std::span<const std::uint8_t> bytes);

}  // namespace trainmake

template <>
struct std::hash<trainmake::Digest128> {
  std::size_t operator()(const trainmake::Digest128& digest) const noexcept { return digest.low; }
};
