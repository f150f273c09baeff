// Digests as raw bytes that clouds want: keyed ones, which signatures are made of, and two old ones: MD5,
// which guards a body on its way and nothing else, and SHA-1, which some clouds name content with. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trainmake {

std::string hmac_sha256(std::string_view key, std::string_view bytes);
std::string hmac_sha1(std::string_view key, std::string_view bytes);
std::string md5(std::string_view bytes);
std::string sha1(std::string_view bytes);

// The same of bytes that come piece by piece.
enum class OldDigest : std::uint8_t { kMd5, kSha1 };
class OldHasher {
 public:
  explicit OldHasher(OldDigest kind);
  ~OldHasher();
  OldHasher(const OldHasher&) = delete;
  OldHasher& operator=(const OldHasher&) = delete;
  void add(std::string_view bytes);
  std::string finish();  // and begins anew

 private:
  void begin();

  OldDigest kind_;
  void* context_;  // EVP_MD_CTX
};

std::string hex_of(std::string_view bytes);  // lower case

}  // namespace trainmake
