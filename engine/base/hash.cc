// XXH3-128 from xxHash and SHA-256 from OpenSSL's EVP (which picks SHA-NI). No other file sees either header.
#include "engine/base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <new>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/base/error.h"

namespace trainmake {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

static_assert(sizeof(XXH3_state_t) <= 576 && alignof(XXH3_state_t) <= 64, "Hasher's state is too small");

XXH3_state_t* state_in(void* storage) { return std::launder(static_cast<XXH3_state_t*>(storage)); }
const XXH3_state_t* state_in(const void* storage) {
  return std::launder(static_cast<const XXH3_state_t*>(storage));
}

Digest128 digest_from(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

std::array<std::uint8_t, 16> big_endian(Digest128 digest) {
  std::array<std::uint8_t, 16> bytes{};
  for (unsigned i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::uint8_t>(digest.high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::uint8_t>(digest.low >> (56 - 8 * i));
  }
  return bytes;
}

// Lower case alone, so that a digest has one spelling.
bool parse_hex(std::string_view hex, std::span<std::uint8_t> into) {
  if (hex.size() != 2 * into.size()) return false;
  for (std::size_t i = 0; i < into.size(); ++i) {
    const std::size_t high = kDigits.find(hex[2 * i]);
    const std::size_t low = kDigits.find(hex[2 * i + 1]);
    if (high == kDigits.npos || low == kDigits.npos) return false;
    into[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

// Fetched once. openssl.cnf is not read: it costs more than most hashing, and could only make SHA-256 fail.
const EVP_MD* sha256_method() {
  static const EVP_MD* method = [] {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    return EVP_MD_fetch(nullptr, "SHA256", nullptr);
  }();
  CHECK(method != nullptr);
  return method;
}

}  // namespace

std::string hex_of(std::span<const std::uint8_t> bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

std::string Digest128::hex() const { return hex_of(big_endian(*this)); }

std::optional<Digest128> Digest128::parse(std::string_view hex) {
  std::array<std::uint8_t, 16> bytes{};
  if (!parse_hex(hex, bytes)) return std::nullopt;
  Digest128 digest;
  for (unsigned i = 0; i < 8; ++i) {
    digest.high = digest.high << 8U | bytes[i];
    digest.low = digest.low << 8U | bytes[8 + i];
  }
  return digest;
}

Digest128 digest_of(std::string_view bytes) { return digest_from(XXH3_128bits(bytes.data(), bytes.size())); }

Hasher::Hasher() {
  auto* state = new (state_.data()) XXH3_state_t;
  XXH3_INITSTATE(state);
  XXH3_128bits_reset(state);
}

Hasher& Hasher::raw(std::string_view bytes) {
  if (!bytes.empty()) XXH3_128bits_update(state_in(state_.data()), bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::field(std::string_view bytes) { return number(bytes.size()).raw(bytes); }

Hasher& Hasher::number(std::uint64_t value) {
  std::array<char, 8> bytes;
  for (char& byte : bytes) {
    byte = static_cast<char>(value & 255U);
    value >>= 8U;
  }
  return raw({bytes.data(), bytes.size()});
}

Digest128 Hasher::finish() const { return digest_from(XXH3_128bits_digest(state_in(state_.data()))); }

std::string Sha256::hex() const { return hex_of(bytes); }

std::optional<Sha256> Sha256::parse(std::string_view hex) {
  Sha256 digest;
  if (!parse_hex(hex, digest.bytes)) return std::nullopt;
  return digest;
}

Sha256 sha256_of(std::string_view bytes) {
  Sha256 digest;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), nullptr, sha256_method(), nullptr) == 1);
  return digest;
}

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  CHECK(EVP_DigestInit_ex2(static_cast<EVP_MD_CTX*>(context_), sha256_method(), nullptr) == 1);
}

Sha256Hasher::~Sha256Hasher() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

Sha256Hasher::Sha256Hasher(Sha256Hasher&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)) {}

Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}

Sha256Hasher& Sha256Hasher::raw(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size()) == 1);
  return *this;
}

Sha256 Sha256Hasher::finish() {
  Sha256 digest;
  CHECK(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest.bytes.data(), nullptr) == 1);
  return digest;
}

}  // namespace trainmake
