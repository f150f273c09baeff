#include "engine/base/hash.h"

#include <gtest/gtest.h>

#include <utility>

namespace trainmake {
namespace {

// From the libraries themselves, by a program of its own, so that no slip of ours can hide in both sides.
TEST(Hash, Xxh3KnownAnswers) {
  EXPECT_EQ(digest_of("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digest_of("abc").hex(), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(digest_of(std::string(1000, 'x')).hex(), "50a1af5a5f2dcf01c0a4877b962cba82");
}

TEST(Hash, Sha256KnownAnswers) {
  EXPECT_EQ(sha256_of("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, StreamedInPiecesIsTheSameAsAtOnce) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 7);
  Hasher hasher;
  Sha256Hasher sha;
  for (std::size_t at = 0, step = 1; at < text.size(); at += step, step = step % 97 + 1) {
    hasher.raw(std::string_view(text).substr(at, step));
    sha.raw(std::string_view(text).substr(at, step));
  }
  EXPECT_EQ(hasher.finish(), digest_of(text));
  EXPECT_EQ(sha.finish(), sha256_of(text));
}

TEST(Hash, FieldsKeepTheirBorders) {
  EXPECT_NE(Hasher().field("ab").field("c").finish(), Hasher().field("a").field("bc").finish());
  EXPECT_NE(Hasher().field("").finish(), Hasher().finish());
}

TEST(Hash, AFieldIsItsLengthInEightBytesThenItself) {
  const std::string bytes("\x02\0\0\0\0\0\0\0ab", 10);
  EXPECT_EQ(Hasher().field("ab").finish(), digest_of(bytes));
  EXPECT_EQ(Hasher().number(0x0102).finish(), digest_of(std::string("\x02\x01\0\0\0\0\0\0", 8)));
}

TEST(Hash, ACopyGoesItsOwnWay) {
  Hasher first;
  first.raw("a");
  Hasher second = first;
  second.raw("b");
  EXPECT_EQ(first.finish(), digest_of("a"));
  EXPECT_EQ(second.finish(), digest_of("ab"));
}

TEST(Hash, AMovedSha256GoesOn) {
  Sha256Hasher first;
  first.raw("a");
  Sha256Hasher second = std::move(first);
  second.raw("bc");
  EXPECT_EQ(second.finish(), sha256_of("abc"));
}

TEST(Hash, HexReadsBack) {
  EXPECT_EQ(Digest128::parse(digest_of("x").hex()), digest_of("x"));
  EXPECT_EQ(Sha256::parse(sha256_of("x").hex()), sha256_of("x"));
}

TEST(Hash, ADigestHasOneSpelling) {
  const std::string hex = digest_of("x").hex();
  EXPECT_EQ(Digest128::parse(hex.substr(1)), std::nullopt);
  EXPECT_EQ(Digest128::parse("G" + hex.substr(1)), std::nullopt);
  EXPECT_EQ(Digest128::parse("A" + hex.substr(1)), std::nullopt) << "upper case";
}

}  // namespace
}  // namespace trainmake
