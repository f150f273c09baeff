// A keyed digest, as raw bytes: what AWS's signature is made of. Pure.
#pragma once

#include <string>
#include <string_view>

namespace trainmake {

std::string hmac_sha256(std::string_view key, std::string_view bytes);

std::string hex_of(std::string_view bytes);  // lower case

}  // namespace trainmake
