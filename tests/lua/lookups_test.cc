// The globals that look outside a file: what they give, and what is recorded of it.
#include "lua/lookups.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

const Value* param(const Project& project, const std::string& name) {
  if (project.declarations.empty()) return nullptr;
  return project.declarations.back().attributes.find(name);
}

std::string text_param(const Project& project, const std::string& name) {
  EXPECT_TRUE(no_errors(project.errors));
  const Value* value = param(project, name);
  return value == nullptr ? "nothing" : value->is_scalar() ? scalar_text(*value) : json_text(*value);
}

std::vector<std::string> paths(const std::vector<Look>& looks) {
  std::vector<std::string> found;
  for (const Look& look : looks) found.push_back(look.path);
  return found;
}

using Paths = std::vector<std::string>;

TEST(Env, GivesTheVariableOrElseTheDefault) {
  Scratch scratch("job 'x' { who = env('WHO', 'nobody'), n = env('N', 3), home = env 'HOME' }");
  scratch.environment.variables = {{"WHO", "me"}, {"HOME", "/h"}};
  const Project project = scratch.load();
  EXPECT_EQ(text_param(project, "who"), "me");
  EXPECT_EQ(text_param(project, "n"), "3");
  const std::map<std::string, std::optional<Digest128>> expected = {
      {"HOME", digest_of("/h")}, {"N", std::nullopt}, {"WHO", digest_of("me")}};
  EXPECT_EQ(project.looks.variables, expected);
}

TEST(Env, IsRecordedEvenWhenItFails) {
  Scratch scratch("env 'NOT_SET'");
  EXPECT_EQ(scratch.load().looks.variables.count("NOT_SET"), 1U);
}

TEST(Select, TakesTheNameThenTheTypeThenTheDefault) {
  Scratch scratch(
      "job 'x' { a = select { uai = 1, slurm = 2, default = 3 }, b = select { slurm = 2, default = false }, "
      "n = select('#', 1, 2) }");
  scratch.options.platform = "uai";
  scratch.options.platform_type = "slurm";
  EXPECT_EQ(text_param(scratch.load(), "a"), "1");
  EXPECT_EQ(text_param(scratch.load(), "n"), "2");
  scratch.options.platform = "mine";
  EXPECT_EQ(text_param(scratch.load(), "a"), "2");
  scratch.options.platform_type = "local";
  EXPECT_EQ(text_param(scratch.load(), "a"), "3");
  EXPECT_EQ(text_param(scratch.load(), "b"), "false");
  scratch.options.stood_for = {"there", "slurm"};
  EXPECT_EQ(text_param(scratch.load(), "a"), "2");
}

TEST(List, GivesSortedPathsAndRecordsTheFolders) {
  Scratch scratch("job 'x' { files = list(glob { 'code/**', exclude = '**/*.tmp' }) }");
  for (const char* path : {"code/b.py", "code/a/z.py", "code/.hidden", "code/x.tmp"}) scratch.write(path, "");
  const Project project = scratch.load();
  EXPECT_EQ(text_param(project, "files"), R"(["code/.hidden","code/a/z.py","code/b.py"])");
  EXPECT_EQ(paths(project.looks.folders), (Paths{"code", "code/a"}));
  EXPECT_EQ(paths(project.looks.files), (Paths{"TRAINFILE.lua"}));
}

TEST(List, RecordsWhatItLookedForByName) {
  Scratch scratch;
  scratch.write("p/TRAINFILE.lua",
                "job 'x' { files = list(glob { 'one.txt', 'two.txt', 'none/**', allow_empty = true }) }");
  scratch.write("p/one.txt", "1");
  const Project project = scratch.load("p");
  EXPECT_EQ(text_param(project, "files"), R"(["one.txt"])");
  EXPECT_EQ(paths(project.looks.files), (Paths{"p/TRAINFILE.lua", "p/none", "p/one.txt", "p/two.txt"}));
  EXPECT_FALSE(project.looks.files[1].stat.exists());
  EXPECT_TRUE(project.looks.files[2].stat.exists());
}

TEST(List, APatternThatMatchesNothingIsAnError) {
  EXPECT_TRUE(says(only_error("list(glob 'none/**')").message, "`none/**` matches no file"));
  EXPECT_TRUE(no_errors(load_text("list(glob { 'none/**', allow_empty = true })").errors));
}

TEST(LoadFile, GivesWhatTheFileReturnsAndRecordsIt) {
  Scratch scratch;
  scratch.write("p/TRAINFILE.lua",
                "local c = load_file '../shared/common.lua'\nlocal d = load_file '../shared/common.lua'\njob "
                "'x' { lr = c.lr, same = c == d }");
  scratch.write("shared/common.lua", "return load_file 'deep/more.lua'\n");
  scratch.write("shared/deep/more.lua", "return { lr = 0.5 }\n");
  const Project project = scratch.load("p");
  EXPECT_EQ(text_param(project, "lr"), "0.5");
  EXPECT_EQ(text_param(project, "same"), "true");
  EXPECT_EQ(paths(project.looks.files),
            (Paths{"p/TRAINFILE.lua", "shared/common.lua", "shared/deep/more.lua"}));
  for (const Look& look : project.looks.files) EXPECT_TRUE(look.content.has_value()) << look.path;
  EXPECT_EQ(project.looks.files[2].content, digest_of("return { lr = 0.5 }\n"));
}

TEST(LoadFile, ADeclarationOfTheFileStandsWhereItIsWritten) {
  Scratch scratch("local mk = load_file 'common.lua'\n\nmk('a')\n");
  scratch.write("common.lua", "return function(name)\n  job(name) {\n    lr = 1,\n  }\nend\n");
  const Project project = scratch.load();
  ASSERT_TRUE(no_errors(project.errors));
  EXPECT_EQ(project.declarations.at(0).where.text(), "common.lua:2");
  EXPECT_EQ(project.declarations[0].called_from, (std::vector<Location>{{"TRAINFILE.lua", 3}}));
  EXPECT_EQ(project.declarations[0].attributes.find("lr")->line, 3);
}

TEST(LoadFile, AnErrorInTheFileNamesBothPlaces) {
  Scratch scratch("local x = 1\nload_file 'common.lua'\n");
  scratch.write("common.lua", "\nlocal y = = 2\n");
  Project project = scratch.load();
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_EQ(project.errors[0].where.text(), "common.lua:2");
  EXPECT_TRUE(says(project.errors[0].hint, "Loaded at TRAINFILE.lua:2"));
  scratch.write("common.lua", "\nlocal y = nil + 2\n");
  project = scratch.load();
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_EQ(project.errors[0].where.text(), "common.lua:2");
  EXPECT_TRUE(says(project.errors[0].hint, "Called from TRAINFILE.lua:2"));
}

TEST(LoadFile, ACircleIsShown) {
  Scratch scratch("load_file 'a.lua'\n");
  scratch.write("a.lua", "load_file 'b.lua'\n");
  scratch.write("b.lua", "load_file 'a.lua'\n");
  const Project project = scratch.load();
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_TRUE(says(project.errors[0].message, "`a.lua` loads `b.lua` loads `a.lua`"));
}

TEST(LoadFile, AFileThatIsNotThereIsRecorded) {
  Scratch scratch("local ok = pcall(load_file, 'none.lua')\njob 'x' { ok = ok }");
  const Project project = scratch.load();
  EXPECT_EQ(text_param(project, "ok"), "false");
  EXPECT_EQ(paths(project.looks.files), (Paths{"TRAINFILE.lua", "none.lua"}));
  EXPECT_FALSE(project.looks.files[1].stat.exists());
}

TEST(LoadFile, ALinkIsLookedAtAndSoIsWhatItPointsTo) {
  Scratch scratch("job 'x' { n = load_file 'link.lua' }");
  scratch.write("shared/real.lua", "return 4\n");
  scratch.files.put_link("/work/link.lua", "shared/real.lua");
  const Project project = scratch.load();
  EXPECT_EQ(text_param(project, "n"), "4");
  EXPECT_EQ(paths(project.looks.files), (Paths{"TRAINFILE.lua", "link.lua", "shared/real.lua"}));
  EXPECT_TRUE(project.looks.files[1].stat.is(FileKind::kLink));
  EXPECT_TRUE(project.looks.files[2].content.has_value());
}

TEST(PlacedPath, TextCanBeAddedBehindIt) {
  const Project project =
      load_text("job 'x' { a = data_dir 'x' .. '/y' .. 1, b = output_dir(), c = checkpoint_dir './a//b' }");
  ASSERT_TRUE(no_errors(project.errors));
  EXPECT_EQ(*param(project, "a")->placed(), (PlacedPath{Place::kData, "x/y1"}));
  EXPECT_EQ(*param(project, "b")->placed(), (PlacedPath{Place::kOutput, ""}));
  EXPECT_EQ(*param(project, "c")->placed(), (PlacedPath{Place::kCheckpoint, "a/b"}));
}

TEST(Glob, TakesItsOptions) {
  const Project project = load_text(
      "job 'x' { a = glob { 'a', 'b/**', exclude = { 'c', 'd' }, allow_empty = true }, b = glob { 'a', "
      "exclude = 'c' } }");
  ASSERT_TRUE(no_errors(project.errors));
  EXPECT_EQ(*param(project, "a")->glob(), (Glob{{"a", "b/**"}, {"c", "d"}, true}));
  EXPECT_EQ(*param(project, "b")->glob(), (Glob{{"a"}, {"c"}, false}));
}

}  // namespace
}  // namespace trainmake
