#include "engine/base/walk.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "engine/base/git.h"
#include "engine/base/text.h"
#include "tests/support/forwarding_fs.h"
#include "tests/support/mem_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

using Texts = std::vector<std::string>;

class Walk : public testing::Test {
 protected:
  void put(std::initializer_list<const char*> paths) {
    for (const char* path : paths) files_.put(path_join("/top", path), path);
  }
  Walked walked(Texts include, Texts exclude = {}) {
    request_.include = std::move(include);
    request_.exclude = std::move(exclude);
    auto result = walk(files_, request_);
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
    return result.value_or(Walked());
  }
  Texts found(Texts include, Texts exclude = {}) {
    return paths_of(walked(std::move(include), std::move(exclude)));
  }
  static Texts paths_of(const Walked& walked) {
    Texts paths;
    for (const WalkedFile& file : walked.files) paths.push_back(file.path);
    return paths;
  }
  static Texts folders_of(const Walked& walked) {
    Texts paths;
    for (const auto& [path, stat] : walked.folders) paths.push_back(path);
    return paths;
  }

  MemFileSystem files_;
  WalkRequest request_{.top = "/top", .include = {}, .exclude = {}, .boundary = "TRAINFILE.lua"};
};

TEST_F(Walk, GivesEachFileOnceSortedByPath) {
  put({"a/x", "a.b", "a/b/c", "b", "TRAINFILE.lua"});
  EXPECT_EQ(found({"**", "a/**", "b"}), (Texts{"TRAINFILE.lua", "a.b", "a/b/c", "a/x", "b"}));
}

TEST_F(Walk, StatsAreThoseOfTheFiles) {
  put({"a/x"});
  const Walked answer = walked({"**"});
  EXPECT_EQ(answer.files.at(0).stat, files_.look("/top/a/x").value());
}

TEST_F(Walk, FoldersWithNothingInThemAreFoundWhenAsked) {
  put({"a/x", "a/skipped/f", "b/y.txt"});
  for (const char* folder : {"a-b", "a/empty", "a/deep/er", "a/skipped/e", "c"})
    files_.put_folder(path_join("/top", folder));
  EXPECT_EQ(found({"a/**"}), (Texts{"a/skipped/f", "a/x"}));
  request_.empty_folders = true;
  EXPECT_EQ(found({"a/**"}, {"a/skipped"}), (Texts{"a/deep/er/", "a/empty/", "a/x"}));
  EXPECT_EQ(found({"**"}, {"a/**"}), (Texts{"a-b/", "b/y.txt", "c/"}));
  EXPECT_EQ(found({"**/*.txt"}), Texts{"b/y.txt"}) << "patterns match folders as they do files";
  EXPECT_EQ(found({"c/**"}), Texts{"c/"});
}

TEST_F(Walk, NamesEveryFolderThatItListed) {
  put({"a/x", "a/b/y", "c/z"});
  const Walked answer = walked({"**"});
  EXPECT_EQ(folders_of(answer), (Texts{"", "a", "a/b", "c"}));
  EXPECT_EQ(answer.folders.at(1).second, files_.look("/top/a").value());
}

TEST_F(Walk, StartsAtTheRootOfAPattern) {
  put({"data/in/x", "other/y"});
  const Walked answer = walked({"data/in/*"});
  EXPECT_EQ(paths_of(answer), Texts{"data/in/x"});
  EXPECT_EQ(folders_of(answer), (Texts{"data", "data/in"})) << "data was passed";
  for (const std::string& line : files_.take_log()) EXPECT_EQ(line.find("other"), line.npos) << line;
}

TEST_F(Walk, DoesNotEnterWhereNothingCanMatch) {
  put({"src/a.py", "src/deep/er/b.py", "src/c.txt"});
  const Walked answer = walked({"src/*.py"});
  EXPECT_EQ(paths_of(answer), Texts{"src/a.py"});
  EXPECT_EQ(folders_of(answer), Texts{"src"});
}

TEST_F(Walk, LooksOnceAtAllFilesOfAFolder) {
  put({"a", "b", "c"});
  walked({"*"});
  EXPECT_EQ(files_.take_log(), (Texts{"look /top follow", "list /top", "look_at_all /top"}));
}

TEST_F(Walk, ALiteralIsLookedAtWithoutListing) {
  put({"a/x", "a/y"});
  const Walked answer = walked({"a/x"});
  EXPECT_EQ(paths_of(answer), Texts{"a/x"});
  EXPECT_EQ(folders_of(answer), Texts{});
  for (const std::string& line : files_.take_log()) EXPECT_FALSE(line.starts_with("list")) << line;
}

TEST_F(Walk, ALiteralMayHaveMagicInItsName) {
  put({"a*b"});
  EXPECT_EQ(found({"a\\*b"}), Texts{"a*b"});
}

TEST_F(Walk, SaysWhichPatternsMatchedNothing) {
  put({"a/x.py"});
  EXPECT_EQ(walked({"missing", "a/*.py", "a/*.txt", "b/**", "a"}).unmatched,
            (Texts{"missing", "a/*.txt", "b/**", "a"}));
}

TEST_F(Walk, AFileThatIsNamedAndSearchedForAnswersBoth) {
  put({"a/x"});
  const Walked answer = walked({"a/x", "a/*", "./a//x"});
  EXPECT_EQ(paths_of(answer), Texts{"a/x"});
  EXPECT_EQ(answer.unmatched, Texts{});
}

TEST_F(Walk, APatternWhoseFilesAreAllExcludedMatchedNothing) {
  put({"a/x.py", "b"});
  EXPECT_EQ(walked({"a/*", "b"}, {"**/*.py", "b"}).unmatched, (Texts{"a/*", "b"}));
}

TEST_F(Walk, AMissingTopIsNoFiles) {
  const Walked answer = walked({"**", "a"});
  EXPECT_EQ(paths_of(answer), Texts{});
  EXPECT_EQ(answer.unmatched, (Texts{"**", "a"}));
}

TEST_F(Walk, ExcludesFiles) {
  put({"a.py", "b.py", "d/a.py"});
  EXPECT_EQ(found({"**"}, {"**/a.py"}), Texts{"b.py"});
}

TEST_F(Walk, AnExcludedFolderIsNotEntered) {
  put({"src/a.py", "src/__pycache__/a.pyc"});
  const Walked answer = walked({"**"}, {"**/__pycache__"});
  EXPECT_EQ(paths_of(answer), Texts{"src/a.py"});
  EXPECT_EQ(folders_of(answer), (Texts{"", "src"}));
  EXPECT_EQ(found({"src/__pycache__/*"}, {"**/__pycache__"}), Texts{}) << "as a root neither";
  EXPECT_EQ(found({"src/__pycache__/a.pyc"}, {"**/__pycache__"}), Texts{}) << "as a literal neither";
}

TEST_F(Walk, NeverGoesIntoGitOrOurOwnState) {
  put({".git/config", "a/.trainmake/state.db", "a/.gitignore", "b/.git"});
  EXPECT_EQ(found({"**"}), Texts{"a/.gitignore"});
  EXPECT_EQ(found({".git/*", ".git/config", "b/.git"}), Texts{});
  request_.all_names = true;
  EXPECT_EQ(found({"**"}), (Texts{".git/config", "a/.gitignore", "a/.trainmake/state.db", "b/.git"}));
  EXPECT_EQ(found({"b/.git"}), Texts{"b/.git"});
}

TEST_F(Walk, NeverGoesIntoAFolderThatIsKeptOut) {
  put({"a", "ci/cache/blob", "ci/cached", "cache/b"});
  request_.kept_out = "/top/ci/cache";
  EXPECT_EQ(found({"**", "ci/cache/blob"}), (Texts{"a", "cache/b", "ci/cached"}));
  request_.kept_out = "/elsewhere";
  EXPECT_EQ(found({"**"}).size(), 4U);
}

TEST_F(Walk, StopsAtAnotherProject) {
  put({"TRAINFILE.lua", "a/x", "sub/TRAINFILE.lua", "sub/y", "sub/deep/z"});
  const Walked answer = walked({"**"});
  EXPECT_EQ(paths_of(answer), (Texts{"TRAINFILE.lua", "a/x"}));
  EXPECT_EQ(folders_of(answer), (Texts{"", "a", "sub"})) << "sub was listed to find that out";
}

TEST_F(Walk, AnotherProjectsFilesAreUnmatchedByAnyPattern) {
  put({"sub/TRAINFILE.lua", "sub/y", "sub/deep/z"});
  EXPECT_EQ(walked({"sub/y", "sub/deep/z", "sub/*", "sub/deep/*"}).unmatched,
            (Texts{"sub/y", "sub/deep/z", "sub/*", "sub/deep/*"}));
}

TEST_F(Walk, KeepsLinksAsLinks) {
  put({"a/x"});
  files_.put_link("/top/link", "a/x");
  files_.put_link("/top/dangling", "nowhere");
  const Walked answer = walked({"**"});
  EXPECT_EQ(paths_of(answer), (Texts{"a/x", "dangling", "link"}));
  EXPECT_TRUE(answer.files[2].stat.is(FileKind::kLink));
  EXPECT_EQ(answer.files[2].link_target, "a/x");
}

TEST_F(Walk, FollowsLinksToFilesWhenAsked) {
  put({"a/x"});
  files_.put_link("/top/link", "a/x");
  request_.links = Links::kFollow;
  const Walked answer = walked({"*", "a/x"});
  EXPECT_EQ(paths_of(answer), (Texts{"a/x", "link"}));
  EXPECT_EQ(answer.files[1].stat, answer.files[0].stat);
  EXPECT_EQ(answer.files[1].link_target, "");
}

TEST_F(Walk, ADanglingLinkIsAnErrorWhenFollowed) {
  files_.put_link("/top/link", "nowhere");
  request_.links = Links::kFollow;
  request_.include = {"*"};
  EXPECT_EQ(walk(files_, request_).error().message, "Link `link` leads to nothing");
  EXPECT_EQ(found({"**"}, {"link"}), Texts{}) << "unless it is excluded";
  request_.include = {"link"};
  request_.exclude = {};
  EXPECT_FALSE(walk(files_, request_).has_value()) << "named, too";
}

TEST_F(Walk, LinksToFoldersAreNamedAndNotWalked) {
  put({"real/x"});
  files_.put_link("/top/link", "real");
  request_.links = Links::kFollow;
  const Walked followed = walked({"**"});
  EXPECT_EQ(paths_of(followed), Texts{"real/x"});
  EXPECT_EQ(followed.folder_links, Texts{"link"});
  const Walked led_on = walked({"*/x"});
  EXPECT_EQ(paths_of(led_on), Texts{"real/x"});
  EXPECT_EQ(led_on.folder_links, Texts{"link"}) << "it does not match but would have led on";
}

TEST_F(Walk, AKeptLinkToAFolderIsBothAFileAndNamed) {
  put({"real/x"});
  files_.put_link("/top/link", "real");
  const Walked answer = walked({"**"});
  EXPECT_EQ(paths_of(answer), (Texts{"link", "real/x"}));
  EXPECT_EQ(answer.folder_links, Texts{"link"});
}

TEST_F(Walk, ALinkOnTheWayToARootOrLiteralIsNotEntered) {
  put({"real/x"});
  files_.put_link("/top/link", "real");
  const Walked answer = walked({"link/*", "link/x"});
  EXPECT_EQ(paths_of(answer), Texts{});
  EXPECT_EQ(answer.folder_links, Texts{"link"});
}

TEST_F(Walk, TheTopItselfMayBeALink) {
  files_.put("/elsewhere/x", "x");
  files_.put_link("/top", "elsewhere");
  EXPECT_EQ(found({"**"}), Texts{"x"});
}

TEST_F(Walk, LeavesSpecialFilesOutAndNamesThem) {
  put({"a"});
  files_.put_special("/top/pipe");
  const Walked answer = walked({"*"});
  EXPECT_EQ(paths_of(answer), Texts{"a"});
  EXPECT_EQ(answer.special, Texts{"pipe"});
}

TEST_F(Walk, NamesAreBytes) {
  put({"a\nb", "\xff\xfe/x"});
  EXPECT_EQ(found({"**"}), (Texts{"a\nb", "\xff\xfe/x"}));
}

TEST_F(Walk, AFolderThatCannotBeReadIsAnError) {
  put({"a/x", "b/y"});
  files_.refuse("list /top/b", EACCES);
  request_.include = {"**"};
  EXPECT_EQ(walk(files_, request_).error().message, "Cannot list `/top/b`: Permission denied");
}

TEST_F(Walk, ABadPatternIsAnErrorBeforeAnythingIsAsked) {
  request_.include = {"ok", "[bad"};
  EXPECT_FALSE(walk(files_, request_).has_value());
  EXPECT_EQ(files_.take_log(), Texts{});
}

// The real file system, where there are threads and races.

TEST(WalkForReal, AFolderThatVanishesIsSimplyNotThere) {
  // Found by listing its folder, gone before it is listed itself.
  class Vanishing final : public ForwardingFileSystem {
   public:
    Vanishing() : ForwardingFileSystem(inner) {}
    Result<std::vector<FolderEntry>> list(const std::string& folder) override {
      if (folder == "/top/gone") inner.take_away(folder);
      return inner.list(folder);
    }
    MemFileSystem inner;
  };
  Vanishing files;
  files.inner.put("/top/gone/x", "");
  files.inner.put("/top/stays", "");
  const Walked answer =
      walk(files, {.top = "/top", .include = {"**"}, .exclude = {}, .boundary = ""}).value();
  ASSERT_EQ(answer.files.size(), 1U);
  EXPECT_EQ(answer.files[0].path, "stays");
}

TEST(WalkForReal, ManyFilesComeSortedWhoeverFoundThem) {
  const ScratchFolder scratch;
  for (int folder = 0; folder < 12; ++folder) {
    for (int file = 0; file < 100; ++file) scratch.write(cat("d", folder, "/f", file), "");
  }
  for (int file = 0; file < 3000; ++file) scratch.write(cat("big/", file), "");
  const Walked answer =
      walk(real_file_system(), {.top = scratch.path(), .include = {"**"}, .exclude = {}, .boundary = ""})
          .value();
  EXPECT_EQ(answer.files.size(), 12U * 100U + 3000U);
  EXPECT_EQ(answer.folders.size(), 14U);
  for (std::size_t i = 1; i < answer.files.size(); ++i)
    ASSERT_LT(answer.files[i - 1].path, answer.files[i].path);
  for (const WalkedFile& file : answer.files) ASSERT_TRUE(file.stat.is(FileKind::kFile)) << file.path;
}

}  // namespace
}  // namespace trainmake
