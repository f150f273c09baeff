// Digests as raw bytes that clouds want: a keyed one, which AWS's signature is made of, and MD5, which guards
// a body on its way and nothing else. Pure.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

std::string hmac_sha256(std::string_view key, std::string_view bytes);
std::string md5(std::string_view bytes);

std::string hex_of(std::string_view bytes);  // lower case

}  // namespace trainmake
