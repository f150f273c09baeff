#include "rules/image/tar_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "engine/base/text.h"
#include "rules/image/tar.h"

namespace trainmake {
namespace {

using Told = std::vector<std::string>;

std::string empty_blocks(std::size_t count) { return std::string(512 * count, '\0'); }

// A header with what a test wants to be odd in it, its sum right.
struct Header {
  std::string name;
  char type = '0';
  std::string size = "00000000000";
  std::string time = "00000000000";
  std::string link = {}, owner = {}, magic = "ustar", prefix = {};

  std::string bytes() const {
    std::string block(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) { block.replace(at, text.size(), text); };
    put(0, name), put(124, size), put(136, time), put(148, "        "), put(157, link), put(257, magic);
    put(265, owner), put(345, prefix);
    block[156] = type;
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    block.replace(148, 7, digits, 7);
    return block;
  }
};

std::string file(const std::string& name) { return Header{name}.bytes(); }

std::string with_content(Header header, std::string content) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%011zo", content.size());
  header.size = digits;
  content.resize((content.size() + 511) / 512 * 512);
  return header.bytes() + content;
}

std::string pax(const std::string& records) { return with_content({"x", 'x'}, records); }

Told told(const std::string& tar, TarMaker maker = TarMaker::kAnybody) {
  const auto in_pieces_of = [&](std::size_t size) {
    TarCheck check(maker);
    for (std::size_t at = 0; at < tar.size(); at += size) check.add(std::string_view(tar).substr(at, size));
    return check.finish();
  };
  const Told whole = in_pieces_of(tar.size() + 1);
  EXPECT_EQ(in_pieces_of(7), whole) << "whatever its pieces";
  return whole;
}

Told ended(const std::string& entries, TarMaker maker = TarMaker::kAnybody) {
  return told(entries + empty_blocks(2), maker);
}

TEST(TarCheck, WhatWeWriteIsFine) {
  std::string tar;
  TarWriter writer([&](std::string_view bytes) {
    tar += bytes;
    return Result<void>();
  });
  const std::string long_name = cat("code/", std::string(120, 'x'));
  ASSERT_TRUE(writer.entry({TarEntry::Kind::kFolder, "code", 0755, 0, ""}));
  ASSERT_TRUE(writer.entry({TarEntry::Kind::kFile, "code/a", 0644, 3, ""}));
  ASSERT_TRUE(writer.content("abc"));
  ASSERT_TRUE(writer.entry({TarEntry::Kind::kFile, long_name, 0644, 0, ""}));
  ASSERT_TRUE(writer.entry({TarEntry::Kind::kLink, "code/ü", 0777, 0, "../../etc"}));
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(told(tar, TarMaker::kUs), Told());
}

TEST(TarCheck, AnEmptyLayerIsFine) { EXPECT_EQ(told(empty_blocks(2), TarMaker::kUs), Told()); }

TEST(TarCheck, OthersMayLeaveOutTheEndAndWriteMoreOfIt) {
  EXPECT_EQ(told(file("a")), Told());
  EXPECT_EQ(told(file("a") + empty_blocks(20)), Told());
  EXPECT_EQ(told(file("a"), TarMaker::kUs), Told{"does not end with two empty blocks"});
}

TEST(TarCheck, PathsThatLeadOutAreTold) {
  EXPECT_EQ(ended(file("/a")), Told{"has `/a`, which is absolute"});
  EXPECT_EQ(ended(file("a/../../b")), Told{"has `a/../../b`, which leads out of its folder"});
  EXPECT_EQ(ended(file("a..b/..c")), Told());
  EXPECT_EQ(ended(pax("13 path=../x\n") + file("fine")), Told{"has `../x`, which leads out of its folder"});
}

TEST(TarCheck, APathTwiceIsToldHoweverItIsWritten) {
  EXPECT_EQ(ended(file("a") + file("./a")), Told{"has `./a` twice"});
  EXPECT_EQ(ended(Header{"a/", '5'}.bytes() + file("a")), Told{"has `a` twice"});
  EXPECT_EQ(ended(Header{.name = "b", .prefix = "a"}.bytes() + file("a/b")), Told{"has `a/b` twice"});
}

TEST(TarCheck, AnEntryNeedsAName) {
  EXPECT_EQ(ended(file("")), Told{"has an entry whose name is empty"});
  EXPECT_EQ(ended(pax(std::string("11 path=a\0\n", 11)) + file("b")),
            Told{"has an entry whose name is `a\\x00`"});
}

TEST(TarCheck, AWhiteoutRemovesSomethingAndIsEmpty) {
  EXPECT_EQ(ended(file("a/.wh.b") + file("a/.wh..wh..opq") + file("a/.wh..hidden")), Told());
  for (const char* name : {".wh.", "a/.wh..", "a/.wh...", "a/.wh..wh.plnk"})
    EXPECT_EQ(ended(file(name)), Told{cat("has `", name, "`, which is no whiteout but is named as one")});
  EXPECT_EQ(ended(with_content({".wh.a"}, "x")).size(), 1U);
  EXPECT_EQ(ended(Header{".wh.a", '5'}.bytes()).size(), 1U);
}

TEST(TarCheck, AHardLinkStaysInTheLayer) {
  EXPECT_EQ(ended(Header{.name = "b", .type = '1', .link = "a"}.bytes()), Told());
  EXPECT_EQ(ended(Header{.name = "b", .type = '1', .link = "../a"}.bytes()),
            Told{"has `b` as a hard link to `../a`, outside of the layer"});
}

TEST(TarCheck, AnUnknownKindIsTold) {
  EXPECT_EQ(ended(with_content({"a", 'S'}, "x") + file("b")), Told{"has `a` of the unknown kind `S`"});
}

TEST(TarCheck, WhatIsCutIsTold) {
  const std::string tar = with_content({"a"}, "content");
  for (const std::size_t size : {100U, 512U, 600U, 1023U})
    EXPECT_EQ(told(tar.substr(0, size)), Told{"ends in the middle of an entry"}) << size;
  EXPECT_EQ(ended(pax("8 path=a\n")).size(), 1U);
}

TEST(TarCheck, ADamagedHeaderEndsIt) {
  std::string tar = file("a") + file("/b");
  tar[3] = 'x';
  EXPECT_EQ(told(tar), Told{"has a header that is damaged"});
  EXPECT_EQ(ended(Header{.name = "a", .size = "abc"}.bytes()), Told{"has a header that is damaged"});
}

TEST(TarCheck, SomethingAfterTheEndIsTold) {
  EXPECT_EQ(ended(file("a") + empty_blocks(2) + file("b")), Told{"has something after its end"});
  EXPECT_EQ(ended(file("a") + empty_blocks(1) + file("b")), Told{"has an empty block between its entries"});
}

TEST(TarCheck, PaxRecordsHaveToBeWhole) {
  for (const char* records : {"12 path=a\n", "path=a\n", "9 path=ab", "0 \n", "7 path\n", "6 =ab\n"})
    EXPECT_EQ(ended(pax(records) + file("b")), Told{"has a PAX record that is damaged"}) << records;
  EXPECT_EQ(ended(pax("9 path=a\n28 SCHILY.xattr.user.x=\n\ny=\n") + file("b")), Told());
}

TEST(TarCheck, NumbersOfGnuAreRead) {
  Header large{.name = "a", .size = std::string("\x80\0\0\0\0\0\0\0\0\0\0\3", 12)};
  EXPECT_EQ(ended(large.bytes() + std::string("abc") + std::string(509, '\0')), Told());
  large.size = std::string(12, '\xff');
  EXPECT_EQ(ended(large.bytes()), Told{"has a header that is damaged"});
}

TEST(TarCheck, LongNamesOfGnuAreRead) {
  const std::string name = cat(std::string(150, 'n'), "/../x");
  EXPECT_EQ(ended(with_content({"././@LongLink", 'L'}, name + '\0') + file("short")),
            Told{cat("has `", name, "`, which leads out of its folder")});
}

TEST(TarCheck, OursIsSortedAndHasNoTimesOrOwners) {
  const std::string tar = Header{"b/", '5'}.bytes() + file("b/a") +
                          Header{.name = "a", .time = "00000000001"}.bytes() +
                          Header{.name = "c", .owner = "root"}.bytes() + pax("13 mtime=1.5\n") + file("d");
  EXPECT_EQ(ended(tar), Told());
  EXPECT_EQ(ended(tar, TarMaker::kUs), (Told{"has a time with `a`", "has `a` after `b/a`, and is not sorted",
                                             "has the name of an owner with `c`", "has a time with `d`"}));
}

TEST(TarCheck, ManyFaultsAreCounted) {
  std::string tar;
  for (int i = 0; i < 50; ++i) tar += file("/same");
  const Told all = ended(tar);
  EXPECT_EQ(all.size(), 21U);
  EXPECT_EQ(all.back(), "has 79 more such faults");
}

}  // namespace
}  // namespace trainmake
