// Tells a private key by its bytes, in whatever file it stands. Pure.
#pragma once

#include <string_view>

namespace trainmake {

// A PEM block of any kind of private key: OpenSSH, PKCS #1 and #8, EC, encrypted or not; also as a text in a
// program's source.
bool holds_private_key(std::string_view bytes);

}  // namespace trainmake
