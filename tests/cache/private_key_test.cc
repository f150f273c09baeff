#include "cache/private_key.h"

#include <gtest/gtest.h>

#include <string>

namespace trainmake {
namespace {

TEST(PrivateKey, IsToldByItsFirstLine) {
  for (const char* kind : {"", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "}) {
    const std::string line = std::string("-----BEGIN ") + kind + "PRIVATE KEY-----";
    EXPECT_TRUE(holds_private_key(line + "\nMIIE")) << kind;
    EXPECT_TRUE(holds_private_key("# a comment\n" + line + "\r\nMIIE")) << kind;
    EXPECT_TRUE(holds_private_key("key = \"" + line + "\\nMIIE\"")) << kind;
  }
}

TEST(PrivateKey, MayBeOfPgpAndEndInBlanks) {
  EXPECT_TRUE(holds_private_key("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ"));
  EXPECT_TRUE(holds_private_key("-----BEGIN PRIVATE KEY----- \t\nMIIE"));
}

TEST(PrivateKey, MayComeAfterItsCertificates) {
  std::string chain =
      "-----BEGIN CERTIFICATE-----\n" + std::string(90 * 65, 'A') + "\n-----END CERTIFICATE-----\n";
  EXPECT_FALSE(holds_private_key(chain));
  EXPECT_TRUE(holds_private_key(chain + "-----BEGIN PRIVATE KEY-----\nMIIE"));
}

TEST(PrivateKey, IsNotWhatOnlySpeaksOfOne) {
  for (const char* text :
       {"", "-----BEGIN ", "-----BEGIN PUBLIC KEY-----\n", "-----BEGIN PRIVATE KEY----- is its first line",
        "find(\"-----BEGIN \"); find(\"PRIVATE KEY-----\")\n", "-----BEGIN PRIVATE KEY-----"})
    EXPECT_FALSE(holds_private_key(text)) << text;
}

}  // namespace
}  // namespace trainmake
