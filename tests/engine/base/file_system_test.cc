// One suite for the real file system and for the one in memory: where both agree, the fake is true.
#include "engine/base/file_system.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "engine/base/text.h"
#include "tests/support/mem_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

using namespace std::chrono_literals;

struct RealPlace {
  // A file system stamps what happens within one tick of the kernel's clock with one time.
  static void rest() { std::this_thread::sleep_for(20ms); }
  ScratchFolder folder;
  FileSystem& files = real_file_system();
  std::string root = folder.path();
};

struct MemPlace {
  MemPlace() { memory.put_folder(root); }
  static void rest() {}
  MemFileSystem memory;
  FileSystem& files = memory;
  std::string root = "/place";
};

template <typename Place>
class FileSystemConformance : public testing::Test {
 protected:
  std::string at(std::string_view path) const { return path_join(place_.root, path); }
  void write(std::string_view path, std::string_view content, const WriteOptions& options = {}) {
    ASSERT_TRUE(write_file(files(), at(path), content, options).has_value());
  }
  std::string read(std::string_view path) { return read_file(files(), at(path)).value_or("<error>"); }
  Stat look(std::string_view path, Links links = Links::kKeep) {
    return files().look(at(path), links).value();
  }
  FileSystem& files() { return place_.files; }
  std::vector<std::string> names(std::string_view folder) {
    std::vector<std::string> names;
    const auto entries = files().list(at(folder)).value();
    for (const FolderEntry& entry : entries) names.push_back(entry.name);
    return names;
  }

  Place place_;
};

using Places = testing::Types<RealPlace, MemPlace>;
TYPED_TEST_SUITE(FileSystemConformance, Places);
using Names = std::vector<std::string>;

TYPED_TEST(FileSystemConformance, WhatIsWrittenIsRead) {
  const std::string content("a\0b\n", 4);
  this->write("a", content);
  EXPECT_EQ(this->read("a"), content);
  EXPECT_EQ(this->look("a").size, 4U);
}

TYPED_TEST(FileSystemConformance, LooksTellTheKinds) {
  this->write("folder/file", "x");
  ASSERT_TRUE(this->files().make_link("file", this->at("folder/link")));
  EXPECT_TRUE(this->look("folder").is(FileKind::kFolder));
  EXPECT_TRUE(this->look("folder/file").is(FileKind::kFile));
  EXPECT_TRUE(this->look("folder/link").is(FileKind::kLink));
  EXPECT_TRUE(this->look("folder/link", Links::kFollow).is(FileKind::kFile));
}

TYPED_TEST(FileSystemConformance, NothingThereIsNoError) {
  this->write("file", "x");
  ASSERT_TRUE(this->files().make_link("nowhere", this->at("dangling")));
  EXPECT_FALSE(this->look("missing").exists());
  EXPECT_FALSE(this->look("missing/below").exists());
  EXPECT_FALSE(this->look("file/below").exists());
  EXPECT_FALSE(this->look("dangling", Links::kFollow).exists());
}

TYPED_TEST(FileSystemConformance, ACopyIsWhatTheFileWas) {
  this->write("from", "content");
  const auto writer = this->files().create(this->at("to"));
  ASSERT_TRUE(writer);
  const auto copied = (*writer)->take_copy(this->at("from"), {});
  ASSERT_TRUE(copied);
  if (*copied == nullptr) GTEST_SKIP() << "this file system copies nothing by itself";
  this->write("from", "other");
  std::string read;
  ASSERT_TRUE(read_pieces(**copied, {}, [&](std::string_view bytes) {
    read += bytes;
    return Result<void>();
  }));
  EXPECT_EQ(read, "content");
  EXPECT_FALSE(this->look("to").exists());
  ASSERT_TRUE((*writer)->commit());
  EXPECT_EQ(this->read("to"), "content");
}

TYPED_TEST(FileSystemConformance, ThereIsNoCopyOfNothing) {
  const auto writer = this->files().create(this->at("to"));
  ASSERT_TRUE(writer);
  EXPECT_FALSE((*writer)->take_copy(this->at("missing"), {}));
}

TYPED_TEST(FileSystemConformance, ALinkToItselfIsAnErrorWhenFollowed) {
  ASSERT_TRUE(this->files().make_link("loop", this->at("loop")));
  EXPECT_TRUE(this->look("loop").is(FileKind::kLink));
  const auto followed = this->files().look(this->at("loop"), Links::kFollow);
  ASSERT_FALSE(followed.has_value());
  EXPECT_NE(followed.error().message.find("Too many levels of symbolic links"), std::string::npos);
}

TYPED_TEST(FileSystemConformance, ManyLooksAnswerInOrder) {
  this->write("folder/b", "12");
  this->write("folder/a", "1");
  const std::vector<std::string_view> names = {"b", "missing", "a"};
  std::vector<Stat> stats(3, Stat{9, 9, 9, 9, 9, FileKind::kOther});
  ASSERT_TRUE(this->files().look_at_all(this->at("folder"), names, stats));
  EXPECT_EQ(stats[0], this->look("folder/b"));
  EXPECT_EQ(stats[1], Stat());
  EXPECT_EQ(stats[2], this->look("folder/a"));
  ASSERT_TRUE(this->files().look_at_all(this->at("missing"), names, stats));
  EXPECT_EQ(stats[0], Stat());
}

TYPED_TEST(FileSystemConformance, AnEmptyFolderGoesAndNoOther) {
  FileSystem& files = this->files();
  ASSERT_TRUE(files.make_folder(this->at("a/b")));
  EXPECT_FALSE(*files.remove_empty_folder(this->at("a")));
  EXPECT_TRUE(*files.remove_empty_folder(this->at("a/b")));
  EXPECT_FALSE(*files.remove_empty_folder(this->at("a/b")));
  this->write("a/f", "x");
  EXPECT_FALSE(*files.remove_empty_folder(this->at("a/f")));
  EXPECT_TRUE(this->look("a/f").exists());
  EXPECT_TRUE(files.sync_disk(this->at("a")));
  EXPECT_TRUE(files.sync_file(this->at("a/f")));
  EXPECT_FALSE(files.sync_file(this->at("a/missing")));
}

TYPED_TEST(FileSystemConformance, ListsAreSortedBytewise) {
  for (const char* name : {"b", "a", "B", "\xff\n", "a.b", ".dot"}) this->write(name, "");
  this->write("sub/c", "");
  EXPECT_EQ(this->names(""), (Names{".dot", "B", "a", "a.b", "b", "sub", "\xff\n"}));
}

TYPED_TEST(FileSystemConformance, ListsTellTheKinds) {
  this->write("a", "");
  this->write("b/c", "");
  ASSERT_TRUE(this->files().make_link("a", this->at("d")));
  const auto entries = this->files().list(this->at("")).value();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].kind, FileKind::kFile);
  EXPECT_EQ(entries[1].kind, FileKind::kFolder);
  EXPECT_EQ(entries[2].kind, FileKind::kLink);
}

TYPED_TEST(FileSystemConformance, WhatIsNoFolderCannotBeListed) {
  this->write("file", "x");
  EXPECT_FALSE(this->files().list(this->at("missing")).has_value());
  EXPECT_FALSE(this->files().list(this->at("file")).has_value());
}

TYPED_TEST(FileSystemConformance, WhatIsNoFileCannotBeRead) {
  this->write("folder/x", "x");
  EXPECT_FALSE(read_file(this->files(), this->at("missing")).has_value());
  EXPECT_FALSE(read_file(this->files(), this->at("folder")).has_value());
}

TYPED_TEST(FileSystemConformance, NothingIsSeenBeforeCommitAndNothingIsLeftWithout) {
  this->write("a", "old");
  {
    auto writer = this->files().create(this->at("a")).value();
    ASSERT_TRUE(writer->append("new"));
    EXPECT_EQ(this->read("a"), "old");
  }
  EXPECT_EQ(this->read("a"), "old");
  EXPECT_EQ(this->names(""), Names{"a"});
}

TYPED_TEST(FileSystemConformance, CommitReplacesTheFileAndLeavesReadersTheOldOne) {
  this->write("a", "old");
  auto reader = this->files().open(this->at("a")).value();
  const Stat before = this->look("a");
  this->write("a", "new content");
  EXPECT_EQ(this->read("a"), "new content");
  EXPECT_NE(this->look("a").inode, before.inode);
  std::string buffer(16, '\0');
  EXPECT_EQ(reader->read(buffer).value(), 3U);
  EXPECT_EQ(reader->stat().value().inode, before.inode);
}

TYPED_TEST(FileSystemConformance, ManyPiecesMakeOneFile) {
  auto writer = this->files().create(this->at("deep/er/a"), {0644, true}).value();
  std::string whole;
  for (int i = 0; i < 300; ++i) {
    const std::string piece(static_cast<std::size_t>(i * 11), static_cast<char>('a' + i % 26));
    ASSERT_TRUE(writer->append(piece));
    whole += piece;
  }
  ASSERT_TRUE(writer->append(std::string(200'000, 'z')));
  ASSERT_TRUE(writer->commit());
  EXPECT_EQ(this->read("deep/er/a"), whole + std::string(200'000, 'z'));
}

TYPED_TEST(FileSystemConformance, TheModeIsKept) {
  this->write("run", "#!/bin/sh\n", {0755, false});
  this->write("plain", "");
  EXPECT_EQ(this->look("run").mode & 0111U, 0111U & this->look("run").mode);
  EXPECT_NE(this->look("run").mode & 0100U, 0U);
  EXPECT_EQ(this->look("plain").mode & 0111U, 0U);
}

TYPED_TEST(FileSystemConformance, WhatIsExtendedIsThereAtOnceAndClosedByACommit) {
  const std::string path = this->at("extended");
  for (const char* piece : {"one ", "two"}) {
    const auto writer = this->files().extend(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(piece));
  }
  EXPECT_EQ(*read_file(this->files(), path), "one two");
  EXPECT_EQ(this->files().look(path)->mode, 0644U);
  ASSERT_TRUE((*this->files().extend(path))->commit());
  EXPECT_EQ(this->files().look(path)->mode, 0444U);
  EXPECT_EQ(*read_file(this->files(), path), "one two");
}

TYPED_TEST(FileSystemConformance, AFolderCannotBeOverwritten) {
  this->write("folder/x", "x");
  EXPECT_FALSE(write_file(this->files(), this->at("folder"), "y").has_value());
  EXPECT_EQ(this->names(""), Names{"folder"});
}

TYPED_TEST(FileSystemConformance, WritingOverALinkReplacesTheLink) {
  this->write("target", "old");
  ASSERT_TRUE(this->files().make_link("target", this->at("link")));
  this->write("link", "new");
  EXPECT_EQ(this->read("target"), "old");
  EXPECT_TRUE(this->look("link").is(FileKind::kFile));
}

TYPED_TEST(FileSystemConformance, FoldersAreMadeWithThoseAbove) {
  ASSERT_TRUE(this->files().make_folder(this->at("a/b/c")));
  ASSERT_TRUE(this->files().make_folder(this->at("a/b/c")));
  EXPECT_TRUE(this->look("a/b/c").is(FileKind::kFolder));
}

TYPED_TEST(FileSystemConformance, AFileIsNoPlaceForAFolder) {
  this->write("file", "x");
  EXPECT_FALSE(this->files().make_folder(this->at("file")).has_value());
  EXPECT_FALSE(this->files().make_folder(this->at("file/below")).has_value());
  EXPECT_FALSE(this->files().create(this->at("file/below")).has_value());
}

TYPED_TEST(FileSystemConformance, LinksSayWhereTheyLead) {
  const std::string target = std::string(300, 'x') + "/../y";
  ASSERT_TRUE(this->files().make_link(target, this->at("link")));
  EXPECT_EQ(this->files().read_link(this->at("link")).value(), target);
  EXPECT_FALSE(this->files().read_link(this->at("missing")).has_value());
  EXPECT_FALSE(this->files().make_link("other", this->at("link")).has_value());
}

TYPED_TEST(FileSystemConformance, LinksToFoldersAreFollowedOnTheWay) {
  this->write("real/file", "x");
  ASSERT_TRUE(this->files().make_link("real", this->at("link")));
  EXPECT_EQ(this->read("link/file"), "x");
  this->write("link/other", "y");
  EXPECT_EQ(this->read("real/other"), "y");
  EXPECT_EQ(this->names("link"), (Names{"file", "other"}));
}

TYPED_TEST(FileSystemConformance, RenameMovesFilesAndTrees) {
  this->write("tree/a/b", "x");
  ASSERT_TRUE(this->files().rename(this->at("tree"), this->at("moved")));
  EXPECT_EQ(this->read("moved/a/b"), "x");
  EXPECT_FALSE(this->look("tree").exists());
  this->write("file", "y");
  ASSERT_TRUE(this->files().rename(this->at("file"), this->at("moved/a/b")));
  EXPECT_EQ(this->read("moved/a/b"), "y");
}

TYPED_TEST(FileSystemConformance, RenameRefusesWhatIsMissingOrInTheWay) {
  this->write("full/x", "x");
  this->write("tree/y", "y");
  EXPECT_FALSE(this->files().rename(this->at("missing"), this->at("a")).has_value());
  EXPECT_FALSE(this->files().rename(this->at("tree"), this->at("full")).has_value());
  EXPECT_FALSE(this->files().rename(this->at("tree/y"), this->at("no/such/folder")).has_value());
}

TYPED_TEST(FileSystemConformance, RemoveTakesWholeTreesButNotWhatLinksLeadTo) {
  this->write("keep/file", "x");
  this->write("tree/a/b", "x");
  this->write("tree/c", "x");
  ASSERT_TRUE(this->files().make_link("../keep", this->at("tree/link")));
  ASSERT_TRUE(this->files().remove(this->at("tree")));
  EXPECT_FALSE(this->look("tree").exists());
  EXPECT_EQ(this->read("keep/file"), "x");
}

TYPED_TEST(FileSystemConformance, RemovingALinkLeavesWhatItLeadsTo) {
  this->write("keep/file", "x");
  ASSERT_TRUE(this->files().make_link("keep", this->at("link")));
  ASSERT_TRUE(this->files().remove(this->at("link")));
  EXPECT_EQ(this->names(""), Names{"keep"});
  EXPECT_EQ(this->read("keep/file"), "x");
}

TYPED_TEST(FileSystemConformance, RemovingNothingIsFine) {
  EXPECT_TRUE(this->files().remove(this->at("missing")).has_value());
  EXPECT_TRUE(this->files().remove(this->at("missing/below")).has_value());
}

TYPED_TEST(FileSystemConformance, RemoveRefusesTheRootAndTheFolderWeAreIn) {
  for (const char* path : {"", "/", ".", ".."}) EXPECT_FALSE(this->files().remove(path).has_value()) << path;
}

TYPED_TEST(FileSystemConformance, OnlyTheFirstCreatesExclusively) {
  EXPECT_TRUE(this->files().create_exclusive(this->at("locks/a"), "first").value());
  EXPECT_FALSE(this->files().create_exclusive(this->at("locks/a"), "second").value());
  EXPECT_EQ(this->read("locks/a"), "first");
  EXPECT_EQ(this->names("locks"), Names{"a"});
}

TYPED_TEST(FileSystemConformance, AChangedFolderHasAnotherStat) {
  this->write("folder/a", "x");
  const Stat before = this->look("folder");
  TypeParam::rest();
  ASSERT_TRUE(this->files().remove(this->at("folder/a")));
  this->write("folder/b", "x");
  EXPECT_NE(this->look("folder"), before);
}

TYPED_TEST(FileSystemConformance, OddNamesWork) {
  const std::string name = "line\nbreak \xff `tick`";
  this->write(name, "x");
  EXPECT_EQ(this->read(name), "x");
  EXPECT_EQ(this->names(""), Names{name});
}

TYPED_TEST(FileSystemConformance, LinksAreFollowedInTheOrderOfThePath) {
  this->write("disk/2026/sets/y", "");
  this->write("disk/2026/right", "");
  ASSERT_TRUE(this->files().make_link("2026/sets", this->at("disk/current")));
  ASSERT_TRUE(this->files().make_link(this->at("disk/current/../right"), this->at("link")));
  ASSERT_TRUE(this->files().make_link("loop", this->at("loop")));
  const std::string top = follow_links(this->files(), this->at("")).value();
  EXPECT_EQ(follow_links(this->files(), this->at("link")).value(), top + "/disk/2026/right");
  EXPECT_EQ(follow_links(this->files(), this->at("disk/./current/y")).value(), top + "/disk/2026/sets/y");
  EXPECT_EQ(follow_links(this->files(), this->at("link/../missing/x")).value(), top + "/disk/2026/missing/x");
  EXPECT_EQ(follow_links(this->files(), "/../..").value(), "/");
  EXPECT_FALSE(follow_links(this->files(), this->at("loop")));
}

TYPED_TEST(FileSystemConformance, WholeFilesHaveALimit) {
  this->write("a", std::string(100, 'x'));
  EXPECT_EQ(read_file(this->files(), this->at("a"), 100).value().size(), 100U);
  EXPECT_FALSE(read_file(this->files(), this->at("a"), 99).has_value());
}

TYPED_TEST(FileSystemConformance, AFileThatMayBeMissingIsReadWhenThere) {
  this->write("a", "x");
  EXPECT_EQ(read_file_if_there(this->files(), this->at("a")).value(), "x");
  EXPECT_EQ(read_file_if_there(this->files(), this->at("b")).value(), std::nullopt);
}

TYPED_TEST(FileSystemConformance, SkippingLeavesBytesOut) {
  this->write("a", "0123456789");
  auto reader = this->files().open(this->at("a")).value();
  ASSERT_TRUE(reader->skip(7));
  std::string buffer(16, '\0');
  EXPECT_EQ(reader->read(buffer).value(), 3U);
  EXPECT_EQ(buffer.substr(0, 3), "789");
  ASSERT_TRUE(reader->skip(100));
  EXPECT_EQ(reader->read(buffer).value(), 0U);
}

}  // namespace
}  // namespace trainmake
