// Against the `git` program, in a folder of the test's own.
#include "engine/cli/revision_files.h"

#include <gtest/gtest.h>

#include "engine/base/host.h"
#include "engine/base/text.h"
#include "engine/base/walk.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

class RevisionFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* path : {"same", "edited", "removed", "gone/a", "gone/b/c", "kept/x"})
      scratch_.write(path, "old");
    git({"init", "--quiet"});
    git({"add", "--all"});
    git({"-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "commit",
         "--quiet", "--message=x"});
    scratch_.write("edited", "new and longer");
    scratch_.write("added", "new");
    scratch_.write("kept/new/y", "new");
    for (const char* path : {"removed", "gone"}) ASSERT_TRUE(real_file_system().remove(scratch_.path(path)));
    snapshot_ = GitSnapshot::of(scratch_.path(), "HEAD").value();
    files_ = std::make_unique<RevisionFiles>(real_file_system(), *snapshot_,
                                             git_changed_since(scratch_.path(), "HEAD").value());
  }

  void git(const std::vector<std::string>& words) {
    Command command{
        {"git"},
        {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", scratch_.path()}, {"GIT_CONFIG_NOSYSTEM", "1"}},
        scratch_.path()};
    command.arguments.insert(command.arguments.end(), words.begin(), words.end());
    const Result<ProcessResult> result = real_processes().run(command, {});
    ASSERT_TRUE(result);
    ASSERT_EQ(result->exit_code, 0) << result->errors;
  }
  FileKind kind(const std::string& path) {
    return files_->look(scratch_.path(path), Links::kKeep).value().kind;
  }
  std::string names(const std::string& folder) {
    std::string text;
    const std::vector<FolderEntry> entries = files_->list(scratch_.path(folder)).value();
    for (const FolderEntry& entry : entries) {
      if (entry.name != ".git")
        text += cat(text.empty() ? "" : " ", entry.name, entry.kind == FileKind::kFolder ? "/" : "");
    }
    return text;
  }

  ScratchFolder scratch_;
  std::unique_ptr<GitSnapshot> snapshot_;
  std::unique_ptr<RevisionFiles> files_;
};

TEST_F(RevisionFilesTest, FilesReadAsTheyWere) {
  EXPECT_EQ(read_file(*files_, scratch_.path("edited")).value(), "old");
  EXPECT_EQ(read_file(*files_, scratch_.path("removed")).value(), "old");
  EXPECT_EQ(read_file(*files_, scratch_.path("same")).value(), "old");
  EXPECT_EQ(read_file_if_there(*files_, scratch_.path("added")).value(), std::nullopt);
}

TEST_F(RevisionFilesTest, LooksSayWhatWasThere) {
  EXPECT_EQ(kind("edited"), FileKind::kFile);
  EXPECT_EQ(kind("removed"), FileKind::kFile);
  EXPECT_EQ(kind("added"), FileKind::kNone);
  EXPECT_EQ(kind("gone"), FileKind::kFolder);
  EXPECT_EQ(kind("gone/b"), FileKind::kFolder);
  EXPECT_EQ(kind("never"), FileKind::kNone);
}

TEST_F(RevisionFilesTest, FoldersListWhatWasInThem) {
  EXPECT_EQ(names(""), "edited gone/ kept/ removed same");
  EXPECT_EQ(names("gone"), "a b/");
  EXPECT_EQ(names("gone/b"), "c");
}

TEST_F(RevisionFilesTest, AWalkFindsWhatItWouldHaveFound) {
  WalkRequest request;
  request.top = scratch_.path();
  request.include = {"**"};
  std::string found;
  const Walked walked = walk(*files_, request).value();
  for (const WalkedFile& file : walked.files) found += file.path + " ";
  EXPECT_EQ(found, "edited gone/a gone/b/c kept/x removed same ");
}

TEST_F(RevisionFilesTest, NothingIsWritten) {
  EXPECT_FALSE(write_file(*files_, scratch_.path("same"), "x"));
  EXPECT_FALSE(files_->remove(scratch_.path("same")));
  EXPECT_EQ(scratch_.read("same"), "old");
}

}  // namespace
}  // namespace trainmake
