// Against the `git` program, in a folder of the test's own, with no configuration but the one given here.
#include "engine/base/git.h"

#include <gtest/gtest.h>

#include "engine/base/host.h"
#include "engine/base/text.h"
#include "engine/base/walk.h"
#include "tests/support/mem_fs.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {
namespace {

using Texts = std::vector<std::string>;

class Git : public testing::Test {
 protected:
  void SetUp() override { git({"init", "--quiet", "--initial-branch=main"}); }

  std::string git(Texts arguments, const std::string& folder = "") {
    Command command;
    command.arguments = {
        "git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.environment = {
        {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", at()}, {"GIT_CONFIG_NOSYSTEM", "1"}};
    command.folder = folder.empty() ? at() : folder;
    const auto result = real_processes().run(command, {});
    CHECK(result.has_value());
    EXPECT_EQ(result->exit_code, 0) << result->errors;
    return std::string(trim(result->output));
  }
  void commit_all() {
    git({"add", "--all"});
    git({"commit", "--quiet", "--message=x"});
  }
  std::string at(const std::string& path = "") const { return scratch_.path(path); }
  GitState state(const std::string& folder) { return git_state(folder).value().value(); }
  std::unique_ptr<IgnoreRules> rules(const std::string& folder = "") {
    return IgnoreRules::of(real_file_system(), at(folder)).value();
  }
  // Paths from the repository's top.
  Texts changed_since(const std::string& revision) {
    Texts paths;
    const Texts changed = git_changed_since(at(), revision).value();
    for (const std::string& path : changed) paths.push_back(path_below(path, at()).value_or(path));
    return paths;
  }

  ScratchFolder scratch_;
};

TEST_F(Git, BeforeTheFirstCommitThereIsABranchAndNoCommit) {
  EXPECT_EQ(state(at()).commit, "");
  EXPECT_EQ(state(at()).branch, "main");
  EXPECT_FALSE(state(at()).dirty);
}

TEST_F(Git, StateIsThatOfHead) {
  scratch_.write("a/b", "x");
  commit_all();
  const GitState now = state(at("a"));
  EXPECT_EQ(now.commit, git({"rev-parse", "HEAD"}));
  EXPECT_EQ(now.branch, "main");
  EXPECT_FALSE(now.dirty);
}

TEST_F(Git, ADetachedHeadHasNoBranch) {
  scratch_.write("a", "x");
  commit_all();
  git({"checkout", "--quiet", "--detach"});
  EXPECT_EQ(state(at()).branch, "");
  EXPECT_EQ(state(at()).commit, git({"rev-parse", "HEAD"}));
}

TEST_F(Git, EditedStagedAndUntrackedFilesAreDirtAndIgnoredOnesAreNot) {
  scratch_.write("a", "x");
  scratch_.write(".gitignore", "*.log\n");
  commit_all();
  scratch_.write("noise.log", "x");
  EXPECT_FALSE(state(at()).dirty);
  scratch_.write("new", "x");
  EXPECT_TRUE(state(at()).dirty);
  git({"add", "new"});
  EXPECT_TRUE(state(at()).dirty);
  commit_all();
  scratch_.write("a", "y");
  EXPECT_TRUE(state(at()).dirty);
}

TEST_F(Git, AWorktreeHasAStateOfItsOwn) {
  scratch_.write("a", "x");
  commit_all();
  git({"worktree", "add", "--quiet", "-b", "side", at("side")});
  EXPECT_EQ(state(at("side")).branch, "side");
  EXPECT_EQ(IgnoreRules::of(real_file_system(), at("side")).value()->worktree(), at("side"));
}

TEST(GitWithout, NoRepositoryIsNoError) {
  const ScratchFolder scratch;
  EXPECT_EQ(IgnoreRules::of(real_file_system(), scratch.path()).value(), nullptr);
  EXPECT_FALSE(git_state(scratch.path()).value().has_value());
  EXPECT_FALSE(git_changed_since(scratch.path(), "HEAD").has_value());
}

TEST_F(Git, ChangedAreCommittedStagedEditedUntrackedAndDeletedFiles) {
  for (const char* path : {"committed", "staged", "edited", "deleted", "same"}) scratch_.write(path, "x");
  commit_all();
  scratch_.write("committed", "y");
  commit_all();
  scratch_.write("staged", "y");
  git({"add", "staged"});
  scratch_.write("edited", "y");
  scratch_.write("new/deep/file", "y");
  ASSERT_TRUE(real_file_system().remove(at("deleted")));
  EXPECT_EQ(changed_since("HEAD~1"), (Texts{"committed", "deleted", "edited", "new/deep/file", "staged"}));
  EXPECT_EQ(changed_since("HEAD"), (Texts{"deleted", "edited", "new/deep/file", "staged"}));
}

TEST_F(Git, ARenameIsBothItsPaths) {
  scratch_.write("old", "some content\n");
  commit_all();
  git({"mv", "old", "new"});
  EXPECT_EQ(changed_since("main"), (Texts{"new", "old"}));
}

TEST_F(Git, IgnoredFilesAreNoChange) {
  scratch_.write(".gitignore", "*.log\n");
  commit_all();
  scratch_.write("noise.log", "x");
  EXPECT_EQ(changed_since("HEAD"), Texts{});
}

TEST_F(Git, AnUnknownRevisionIsTheUsersErrorWithAHint) {
  scratch_.write("a", "x");
  commit_all();
  const Error error = git_changed_since(at(), "mian").error();
  EXPECT_EQ(error.blame, Blame::kUser);
  EXPECT_NE(error.message.find("Unknown revision `mian`"), std::string::npos);
  EXPECT_FALSE(error.hint.empty());
}

TEST_F(Git, IgnoresWhatGitignoreSays) {
  scratch_.write(".gitignore", "*.log\n/build/\n!keep.log\n");
  scratch_.write("sub/.gitignore", "secret\n");
  const auto ignore = rules("sub");
  EXPECT_TRUE(ignore->ignores(at("a.log"), false).value());
  EXPECT_TRUE(ignore->ignores(at("sub/deep/a.log"), false).value());
  EXPECT_FALSE(ignore->ignores(at("keep.log"), false).value());
  EXPECT_TRUE(ignore->ignores(at("build"), true).value());
  EXPECT_FALSE(ignore->ignores(at("build"), false).value()) << "the rule is for folders";
  EXPECT_TRUE(ignore->ignores(at("build/x"), false).value());
  EXPECT_TRUE(ignore->ignores(at("sub/secret"), false).value());
  EXPECT_FALSE(ignore->ignores(at("secret"), false).value());
}

TEST_F(Git, WhatIsInTheIndexIsNotIgnored) {
  scratch_.write(".gitignore", "*.log\n/build/\n");
  for (const char* path : {"a.log", "b.log", "build/in/x", "build/in/y", "build/out/x", "build2/x"})
    scratch_.write(path, "x");
  git({"add", "--force", "a.log", "build/in/x"});
  const auto ignore = rules();
  EXPECT_FALSE(ignore->ignores(at("a.log"), false).value());
  EXPECT_TRUE(ignore->ignores(at("b.log"), false).value());
  EXPECT_FALSE(ignore->ignores(at("build"), true).value());
  EXPECT_FALSE(ignore->ignores(at("build/in"), true).value());
  EXPECT_FALSE(ignore->ignores(at("build/in/x"), false).value());
  EXPECT_TRUE(ignore->ignores(at("build/in/y"), false).value());
  EXPECT_TRUE(ignore->ignores(at("build/out"), true).value());
  EXPECT_TRUE(ignore->ignores(at("build/i"), true).value());
  git({"rm", "--quiet", "--cached", "a.log"});
  EXPECT_TRUE(rules()->ignores(at("a.log"), false).value());
}

TEST_F(Git, AWorktreeHasAnIndexOfItsOwn) {
  scratch_.write(".gitignore", "*.log\n");
  commit_all();
  git({"worktree", "add", "--quiet", "-b", "side", at("side")});
  scratch_.write("a.log", "x");
  scratch_.write("side/a.log", "x");
  git({"add", "--force", "a.log"}, at("side"));
  EXPECT_FALSE(rules("side")->ignores(at("side/a.log"), false).value());
  EXPECT_TRUE(rules()->ignores(at("a.log"), false).value());
}

TEST_F(Git, TheIndexIsLookedAtOnceSomethingIsIgnored) {
  scratch_.write(".gitignore", "*.log\n");
  const auto ignore = rules();
  EXPECT_FALSE(ignore->ignores(at("a.py"), false).value());
  EXPECT_FALSE(ignore->index().has_value());
  EXPECT_TRUE(ignore->ignores(at("a.log"), false).value());
  ASSERT_TRUE(ignore->index().has_value());
  EXPECT_EQ(ignore->index()->path, at(".git/index"));
  EXPECT_FALSE(ignore->index()->stat.exists()) << "nothing was added yet";
  git({"add", ".gitignore"});
  const auto later = rules();
  EXPECT_TRUE(later->ignores(at("a.log"), false).value());
  EXPECT_EQ(later->index()->stat, real_file_system().look(at(".git/index")).value());
}

TEST_F(Git, AnIndexThatCannotBeReadIsTakenForAnEmptyOne) {
  scratch_.write(".gitignore", "*.log\n");
  scratch_.write("a.log", "x");
  git({"add", "--force", "a.log"});
  git({"update-index", "--split-index"});
  const auto ignore = rules();
  EXPECT_TRUE(ignore->ignores(at("a.log"), false).value());
  EXPECT_TRUE(ignore->index().has_value());
}

TEST_F(Git, WhatLiesOutsideIsNotIgnored) {
  scratch_.write(".gitignore", "*\n");
  EXPECT_FALSE(rules()->ignores("/elsewhere/a", false).value());
  EXPECT_FALSE(rules()->ignores(at(), true).value());
}

TEST_F(Git, ChangedRulesAreSeen) {
  scratch_.write(".gitignore", "a\n");
  const auto ignore = rules();
  EXPECT_TRUE(ignore->ignores(at("a"), false).value());
  scratch_.write(".gitignore", "bb\n");
  EXPECT_TRUE(ignore->ignores(at("bb"), false).value());
}

TEST_F(Git, SourcesAreTheFilesOutsideTheTreeThatRule) {
  git({"config", "core.excludesFile", at("my-ignores")});
  const Texts sources = rules()->sources();
  const auto has = [&](const std::string& path) {
    return std::find(sources.begin(), sources.end(), path) != sources.end();
  };
  EXPECT_TRUE(has(at(".git/info/exclude")));
  EXPECT_TRUE(has(at(".git/config")));
  EXPECT_TRUE(has(at("my-ignores")));
  EXPECT_TRUE(std::is_sorted(sources.begin(), sources.end()));
}

TEST_F(Git, SourcesAreWhatConfigurationsIncludeToo) {
  scratch_.write("more/extra", "[include]\n  path = deeper\n[core]\n  excludesFile = /from/extra\n");
  git({"config", "--add", "include.path", "../more/extra"});
  git({"config", "--add", "includeIf.gitdir:/elsewhere/.path", "/not/now"});
  git({"config", "--add", "include.path", "~/mine"});
  const Texts sources = rules()->sources();
  for (const std::string& path :
       {at("more/extra"), at("more/deeper"), std::string("/not/now"), std::string("/from/extra")})
    EXPECT_EQ(std::count(sources.begin(), sources.end(), path), 1) << path;
  EXPECT_TRUE(std::any_of(sources.begin(), sources.end(),
                          [](const std::string& path) { return path.ends_with("/mine"); }));
}

TEST_F(Git, AnIncludeOfNothingIsNoSource) {
  scratch_.write(".git/config", "[core]\n  excludesFile = /mine\n[include]\n  path\n");
  const Texts sources = rules()->sources();
  EXPECT_EQ(std::count(sources.begin(), sources.end(), "/mine"), 1);
}

TEST_F(Git, ARepositoryIsFoundByTheNearestDotGit) {
  git({"init", "--quiet", at("inner")});
  EXPECT_EQ(rules("inner")->worktree(), at("inner"));
  EXPECT_EQ(rules()->worktree(), at());
}

TEST_F(Git, AnEmptyDotGitIsNoRepository) {
  ASSERT_TRUE(real_file_system().make_folder(at("sub/.git")));
  EXPECT_EQ(rules("sub")->worktree(), at());
}

TEST_F(Git, AWalkLeavesOutWhatIsIgnored) {
  scratch_.write(".gitignore", "*.log\nbuild/\n");
  for (const char* path : {"src/a.py", "src/a.log", "build/x", "src/build/y"}) scratch_.write(path, "x");
  const auto ignore = rules();
  WalkRequest request{.top = at(),
                      .include = {"src/**", "build/*"},
                      .exclude = {},
                      .boundary = "",
                      .links = Links::kKeep,
                      .ignore = ignore.get()};
  const Walked answer = walk(real_file_system(), request).value();
  ASSERT_EQ(answer.files.size(), 1U);
  EXPECT_EQ(answer.files[0].path, "src/a.py");
  EXPECT_EQ(answer.folders.size(), 1U) << "ignored folders are not listed";
  EXPECT_EQ(answer.unmatched, Texts{"build/*"});
}

TEST_F(Git, AWalkTakesAnIgnoredFileThatIsNamed) {
  scratch_.write(".gitignore", "*.log\n");
  scratch_.write("a.log", "x");
  const auto ignore = rules();
  WalkRequest request{.top = at(),
                      .include = {"a.log"},
                      .exclude = {},
                      .boundary = "",
                      .links = Links::kKeep,
                      .ignore = ignore.get()};
  EXPECT_EQ(walk(real_file_system(), request).value().files.size(), 1U);
}

}  // namespace
}  // namespace trainmake
