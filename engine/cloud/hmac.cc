#include "engine/cloud/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "engine/base/error.h"

namespace trainmake {

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  const unsigned char* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                                   reinterpret_cast<unsigned char*>(out.data()), &size);
  CHECK(made != nullptr);
  out.resize(size);
  return out;
}

std::string md5(std::string_view bytes) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size, EVP_md5(),
                   nullptr) == 1);
  out.resize(size);
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
