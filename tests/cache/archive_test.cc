#include "cache/archive.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <cstdlib>
#include <filesystem>

#include "engine/base/text.h"
#include "tests/support/mem_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;  // name, content

// Writes `contents` into an archive at `to`.
void pack(FileSystem& files, const Files& contents, const std::string& to) {
  const auto writer = *files.create(to);
  ArchiveWriter archive(*writer);
  for (const auto& [name, content] : contents) {
    ASSERT_TRUE(write_file(files, "/one", content));
    ASSERT_EQ(*archive.add(files, "/one", name), content.size());
  }
  ASSERT_TRUE(archive.finish());
  ASSERT_TRUE(writer->commit());
}

Result<Files> unpack(FileSystem& files, const std::string& from) {
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files.open(from));
  ArchiveReader archive(*reader, from);
  Files contents;
  while (true) {
    TRY_ASSIGN(const std::optional<ArchiveReader::Entry> entry, archive.next());
    if (!entry) return contents;
    auto& [name, content] = contents.emplace_back(entry->name, "");
    char buffer[1000];
    while (true) {
      TRY_ASSIGN(const std::size_t count, archive.read(buffer));
      if (count == 0) break;
      content.append(buffer, count);
    }
  }
}

// Of a tar that somebody else wrote.
Result<Files> unpack_tar(const std::string& tar) {
  MemFileSystem files;
  std::string packed(ZSTD_compressBound(tar.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), tar.data(), tar.size(), 1));
  files.put("/a", packed);
  return unpack(files, "/a");
}

TEST(Archive, GivesBackWhatWasPacked) {
  MemFileSystem files;
  const Files contents = {{"state.db", "hello"},
                          {"empty", ""},
                          {"block", std::string(512, 'x')},
                          {"a/b", std::string(300'001, 'y')},
                          {std::string(100, 'n'), "1"},
                          {std::string(101, 'n'), "2"},
                          {"long/" + std::string(3000, 'n') + "/end", "3"},
                          {"caf\xc3\xa9 \xff", "4"}};
  pack(files, contents, "/a");
  const Result<Files> got = unpack(files, "/a");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, contents);
}

TEST(Archive, EqualFilesGiveEqualArchives) {
  MemFileSystem files;
  pack(files, {{"a", "1"}, {"b", "2"}}, "/one.tar.zst");
  pack(files, {{"a", "1"}, {"b", "2"}}, "/two.tar.zst");
  EXPECT_EQ(files.content("/one.tar.zst"), files.content("/two.tar.zst"));
}

TEST(Archive, WhatWasNotReadIsPassedOver) {
  MemFileSystem files;
  pack(files, {{"a", std::string(100'000, 'x')}, {"b", "2"}}, "/a");
  const auto reader = *files.open("/a");
  ArchiveReader archive(*reader, "a");
  char some[100];
  ASSERT_TRUE(*archive.next());
  ASSERT_TRUE(archive.read(some));
  EXPECT_EQ((*archive.next())->name, "b");
  EXPECT_FALSE(*archive.next());
}

TEST(Archive, EveryCutIsAnError) {
  MemFileSystem files;
  pack(files, {{"a", "1"}, {"b", std::string(5000, 'x')}}, "/a");
  const std::string whole = files.content("/a");
  for (std::size_t size = 0; size < whole.size() - 4; ++size) {
    files.put("/a", whole.substr(0, size));
    EXPECT_FALSE(unpack(files, "/a")) << size;
  }
}

// GNU tar is the rival that reads what we write and writes what we read.
struct GnuTar : testing::Test {
  void SetUp() override {
    if (std::system("tar --version > /dev/null 2>&1 && zstd --version > /dev/null 2>&1") != 0)
      GTEST_SKIP() << "needs tar and zstd";
  }
  int sh(const std::string& command) {
    return std::system(cat("cd ", folder.path(), " && ", command).c_str());
  }
  ScratchFolder folder;
};

TEST_F(GnuTar, ReadsWhatWeWrite) {
  const std::string long_name = "long/" + std::string(120, 'n');
  {
    FileSystem& files = real_file_system();
    folder.write("one", "hello");
    const auto writer = *files.create(folder.path("a.tar.zst"));
    ArchiveWriter archive(*writer);
    for (const std::string& name : {std::string("state.db"), long_name})
      ASSERT_TRUE(archive.add(files, folder.path("one"), name));
    ASSERT_TRUE(archive.finish());
    ASSERT_TRUE(writer->commit());
  }
  ASSERT_EQ(sh("mkdir out && zstd -qdc a.tar.zst | tar -x -C out"), 0);
  EXPECT_EQ(folder.read("out/state.db"), "hello");
  EXPECT_EQ(folder.read("out/" + long_name), "hello");
}

TEST_F(GnuTar, IsReadWhateverItsFormat) {
  const std::string name = std::string(80, 'd') + "/" + std::string(60, 'n');
  folder.write(name, "hello");
  for (const char* format : {"ustar", "pax"}) {
    ASSERT_EQ(sh(cat("tar -c --format=", format, " -f - ", name, " | zstd -q -f -o a.tar.zst")), 0);
    const Result<Files> got = unpack(real_file_system(), folder.path("a.tar.zst"));
    ASSERT_TRUE(got) << format << ": " << got.error().message;
    EXPECT_EQ(*got, (Files{{name, "hello"}})) << format;
  }
}

TEST_F(GnuTar, WhatIsNoRegularFileIsRefused) {
  ASSERT_EQ(sh("mkdir d && ln -s /etc/passwd l && mkfifo p && echo x > f && ln f h"), 0);
  for (const char* names : {"d", "l", "p", "f h"}) {
    ASSERT_EQ(sh(cat("tar -c -f - ", names, " | zstd -q -f -o a.tar.zst")), 0);
    const Result<Files> got = unpack(real_file_system(), folder.path("a.tar.zst"));
    ASSERT_FALSE(got) << names;
    EXPECT_NE(got.error().message.find("regular file"), std::string::npos) << got.error().message;
  }
}

TEST_F(GnuTar, NamesThatLeadElsewhereAreRefused) {
  folder.write("x", "evil");
  for (const char* name : {"../x", "/x", "a/../../x", "a/./x", "a//x", ".."}) {
    ASSERT_EQ(sh(cat("tar -c -P --transform 's,^x$,", name, ",' -f a.tar x")), 0);
    const Result<Files> got = unpack_tar(folder.read("a.tar"));
    ASSERT_FALSE(got) << name;
    EXPECT_NE(got.error().message.find("leads elsewhere"), std::string::npos) << got.error().message;
  }
}

TEST(Archive, WhatIsNoArchiveIsRefused) {
  MemFileSystem files;
  for (const std::string& bytes : {std::string(), std::string("hello"), std::string(5000, 'x')}) {
    files.put("/a", bytes);
    EXPECT_FALSE(unpack(files, "/a"));
  }
  EXPECT_FALSE(unpack_tar(std::string(2000, 'x')));
  EXPECT_FALSE(unpack_tar(""));
}

}  // namespace
}  // namespace trainmake
