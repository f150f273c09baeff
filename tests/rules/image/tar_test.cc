#include "rules/image/tar.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/hash.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

std::string tar_of(const std::vector<std::pair<TarEntry, std::string>>& entries) {
  std::string bytes;
  TarWriter tar([&](std::string_view piece) {
    bytes += piece;
    return Result<void>();
  });
  for (const auto& [entry, content] : entries) {
    EXPECT_TRUE(tar.entry(entry));
    if (!content.empty()) {
      EXPECT_TRUE(tar.content(content));
    }
  }
  EXPECT_TRUE(tar.finish());
  return bytes;
}

TEST(Tar, IsWholeBlocksAndEndsWithTwoEmptyOnes) {
  const std::string tar = tar_of({{{TarEntry::Kind::kFile, "a", 0644, 3}, "abc"}});
  EXPECT_EQ(tar.size(), 512U * 4);
  EXPECT_EQ(tar.substr(512, 4), std::string("abc\0", 4));
  EXPECT_EQ(tar.substr(257, 5), "ustar");
}

TEST(Tar, ItsBytesArePinned) {
  // Different bytes are a different layer for everybody: raise the memo's version in layer.cc when that is
  // meant.
  EXPECT_EQ(sha256_of(tar_of({{{TarEntry::Kind::kFolder, "code", 0755}, ""},
                              {{TarEntry::Kind::kFile, "code/" + std::string(120, 'x'), 0644, 1}, "1"},
                              {{TarEntry::Kind::kLink, "code/ü", 0777, 0, "a"}, ""}}))
                .hex(),
            "ad00ce6b3772e5fc4be8a0d7ad3c221b6e55895d0854d002a41969ff8b9d95ff");
}

// What a reader of tars makes of one header: its fields, and the PAX records before it.
struct Seen {
  char type = 0;
  std::string name, link;
  std::uint64_t mode = 0, uid = 0, gid = 0, size = 0;
  std::map<std::string, std::string> records;
};

std::uint64_t octal(std::string_view field) {
  std::uint64_t value = 0;
  for (const char c : field.substr(0, field.size() - 1))
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
  return value;
}

std::map<std::string, std::string> records_of(std::string_view text) {
  std::map<std::string, std::string> records;
  while (!text.empty()) {
    const std::size_t blank = text.find(' ');
    const std::size_t length = std::stoul(std::string(text.substr(0, blank)));
    const std::string_view record = text.substr(blank + 1, length - blank - 2);
    const std::size_t equals = record.find('=');
    records.emplace(record.substr(0, equals), record.substr(equals + 1));
    EXPECT_EQ(text[length - 1], '\n');
    text.remove_prefix(length);
  }
  return records;
}

std::vector<Seen> read_tar(std::string_view tar) {
  std::vector<Seen> all;
  Seen seen;
  while (tar[0] != '\0') {
    const auto text = [&](std::size_t at, std::size_t size) {
      const std::string_view field = tar.substr(at, size);
      return std::string(field.substr(0, field.find('\0')));
    };
    seen.type = tar[156];
    seen.name = text(0, 100);
    seen.link = text(157, 100);
    seen.mode = octal(tar.substr(100, 8));
    seen.uid = octal(tar.substr(108, 8));
    seen.gid = octal(tar.substr(116, 8));
    seen.size = octal(tar.substr(124, 12));
    tar.remove_prefix(512);
    if (seen.type == 'x')
      seen.records = records_of(tar.substr(0, seen.size));
    else
      all.push_back(std::exchange(seen, {}));
    tar.remove_prefix(((seen.type == 'x' ? seen.size : all.back().size) + 511) / 512 * 512);
  }
  return all;
}

TEST(Tar, OwnersAreNumbersAndLargeOnesArePaxRecords) {
  const std::vector<Seen> seen =
      read_tar(tar_of({{{.path = "small", .uid = 1000, .gid = 07777777}, ""},
                       {{.path = "large", .size = 1, .uid = 010000000, .gid = 4294967294}, "x"}}));
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].uid, 1000U);
  EXPECT_EQ(seen[0].gid, 07777777U);
  EXPECT_TRUE(seen[0].records.empty());
  EXPECT_EQ(seen[1].records, (std::map<std::string, std::string>{{"uid", "2097152"}, {"gid", "4294967294"}}));
}

TEST(Tar, AHardLinkNamesAnEntryAndHasNoContent) {
  const std::string far(150, 'f');
  const std::vector<Seen> seen = read_tar(
      tar_of({{{.path = "a", .mode = 04755, .size = 3}, "abc"},
              {{.kind = TarEntry::Kind::kHardLink, .path = "b", .mode = 04755, .link_target = "a"}, ""},
              {{.kind = TarEntry::Kind::kHardLink, .path = "c", .link_target = far}, ""}}));
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].mode, 04755U);
  EXPECT_EQ(seen[1].type, '1');
  EXPECT_EQ(seen[1].link, "a");
  EXPECT_EQ(seen[1].size, 0U);
  EXPECT_EQ(seen[2].records.at("linkpath"), far);
}

TEST(Tar, ExtendedAttributesKeepEveryByte) {
  const std::string capability("\1\0\0\2\0\4\0\0\n=\xff", 11);
  const std::vector<Seen> seen =
      read_tar(tar_of({{{.kind = TarEntry::Kind::kFolder,
                         .path = "bin",
                         .xattrs = {{"user.b", ""}, {"security.capability", capability}, {"user.a", "1"}}},
                        ""}}));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].type, '5');
  EXPECT_EQ(seen[0].records,
            (std::map<std::string, std::string>{{"SCHILY.xattr.security.capability", capability},
                                                {"SCHILY.xattr.user.a", "1"},
                                                {"SCHILY.xattr.user.b", ""}}));
}

TEST(Tar, AnExtendedAttributeWhoseNameNoRecordHoldsIsRefused) {
  TarWriter tar([](std::string_view) { return Result<void>(); });
  const Result<void> refused = tar.entry({.path = "a", .xattrs = {{"user.x=y", "1"}}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("`user.x=y`"), std::string::npos);
}

TEST(Tar, AFileThatUstarCannotSizeHasAPaxRecord) {
  std::string head;
  TarWriter tar([&](std::string_view bytes) {
    head += bytes;
    return Result<void>();
  });
  ASSERT_TRUE(tar.entry({.path = "huge", .size = 8'589'934'592}));
  EXPECT_EQ(records_of(head.substr(512, octal(head.substr(124, 12)))),
            (std::map<std::string, std::string>{{"size", "8589934592"}}));
}

}  // namespace
}  // namespace trainmake
