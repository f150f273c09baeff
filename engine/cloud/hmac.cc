#include "engine/cloud/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "engine/base/error.h"

namespace trainmake {
namespace {

std::string keyed(const EVP_MD* kind, std::string_view key, std::string_view bytes) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  const unsigned char* made = HMAC(kind, key.data(), static_cast<int>(key.size()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                                   reinterpret_cast<unsigned char*>(out.data()), &size);
  CHECK(made != nullptr);
  out.resize(size);
  return out;
}

std::string digest(const EVP_MD* kind, std::string_view bytes) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size, kind,
                   nullptr) == 1);
  out.resize(size);
  return out;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  return keyed(EVP_sha256(), key, bytes);
}

std::string hmac_sha1(std::string_view key, std::string_view bytes) { return keyed(EVP_sha1(), key, bytes); }

std::string md5(std::string_view bytes) { return digest(EVP_md5(), bytes); }

std::string sha1(std::string_view bytes) { return digest(EVP_sha1(), bytes); }

OldHasher::OldHasher(OldDigest kind) : kind_(kind), context_(EVP_MD_CTX_new()) { begin(); }

OldHasher::~OldHasher() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

void OldHasher::begin() {
  const EVP_MD* method = kind_ == OldDigest::kMd5 ? EVP_md5() : EVP_sha1();
  CHECK(EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), method, nullptr) == 1);
}

void OldHasher::add(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size()) == 1);
}

std::string OldHasher::finish() {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), reinterpret_cast<unsigned char*>(out.data()),
                           &size) == 1);
  out.resize(size);
  begin();
  return out;
}

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {kDigits[byte >> 4U], kDigits[byte & 15U]};
  }
  return text;
}

}  // namespace trainmake
