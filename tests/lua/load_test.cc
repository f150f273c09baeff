// What a TRAINFILE declares, and what a wrong one is told.
#include "lua/load.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

constexpr const char* kMnist = R"(
project { name = "mnist" }

code "mnist" { srcs = glob { "code/**", exclude = { "**/__pycache__/**" } }, main = "train.py" }

data "digits" { files = glob "data/**" }
data "solver" { files = { "solver.json" } }

image "mnist" {
  code = "code:mnist",
  base = "scratch",
}

job "mnist" {
  image   = "image:mnist",
  data    = { "data:digits", "data:solver", model = "job:other" },
  args    = { solver = data_dir "solver.json" },
  params  = { lr = 0.1, epochs = 5, fast = true },
}

for _, lr in ipairs { 0.01, 0.1, 1 } do
  job("sweep-" .. lr) { image = "image:mnist", params = { lr = lr } }
end
)";

const Declaration* find(const Project& project, const std::string& kind, const std::string& name) {
  for (const Declaration& declaration : project.declarations) {
    if (declaration.kind == kind && declaration.name == name) return &declaration;
  }
  return nullptr;
}

const Value& attribute(const Project& project, const std::string& kind, const std::string& name,
                       const std::string& what) {
  static const Value kNone;
  const Declaration* declaration = find(project, kind, name);
  const Value* value = declaration == nullptr ? nullptr : declaration->attributes.find(what);
  EXPECT_NE(value, nullptr) << kind << ":" << name << " " << what;
  return value == nullptr ? kNone : *value;
}

TEST(Load, ReadsDeclarationsInOrderWithTheirLines) {
  const Project project = load_text(kMnist);
  ASSERT_TRUE(no_errors(project.errors));
  EXPECT_EQ(project.name, "mnist");
  std::vector<std::string> declared;
  for (const Declaration& each : project.declarations)
    declared.push_back(cat(each.kind, ":", each.name, "@", each.where.text()));
  const std::vector<std::string> expected = {
      "code:mnist@TRAINFILE.lua:4",     "data:digits@TRAINFILE.lua:6", "data:solver@TRAINFILE.lua:7",
      "image:mnist@TRAINFILE.lua:9",    "job:mnist@TRAINFILE.lua:14",  "job:sweep-0.01@TRAINFILE.lua:22",
      "job:sweep-0.1@TRAINFILE.lua:22", "job:sweep-1@TRAINFILE.lua:22"};
  EXPECT_EQ(declared, expected);
}

TEST(Load, GivesAttributesTheirTypes) {
  const Project project = load_text(kMnist);
  const Glob* glob = attribute(project, "code", "mnist", "srcs").glob();
  ASSERT_NE(glob, nullptr);
  EXPECT_EQ(*glob, (Glob{{"code/**"}, {"**/__pycache__/**"}, false}));
  const Table* params = attribute(project, "job", "mnist", "params").table();
  ASSERT_NE(params, nullptr);
  EXPECT_EQ(*params->find("lr")->real(), 0.1);
  EXPECT_EQ(*params->find("epochs")->integer(), 5);
  EXPECT_EQ(*params->find("fast")->boolean(), true);
  const Table* args = attribute(project, "job", "mnist", "args").table();
  ASSERT_NE(args, nullptr);
  EXPECT_EQ(*args->find("solver")->placed(), (PlacedPath{Place::kData, "solver.json"}));
  const Table* data = attribute(project, "job", "mnist", "data").table();
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(data->items.size(), 2U);
  EXPECT_EQ(*data->find("model")->string(), "job:other");
}

TEST(Load, GivesAttributesTheirLines) {
  const Project project = load_text(kMnist);
  EXPECT_EQ(attribute(project, "image", "mnist", "base").line, 11);
  EXPECT_EQ(attribute(project, "job", "mnist", "params").line, 18);
  EXPECT_EQ(attribute(project, "job", "mnist", "data").table()->items[1].line, 16);
  EXPECT_EQ(attribute(project, "job", "sweep-1", "params").table()->find("lr")->line, 22);
}

TEST(Load, IsTheSameEveryTime) {
  const Project one = load_text(kMnist);
  const Project two = load_text(kMnist);
  ASSERT_EQ(one.declarations.size(), two.declarations.size());
  for (std::size_t i = 0; i < one.declarations.size(); ++i) {
    EXPECT_EQ(one.declarations[i].attributes, two.declarations[i].attributes);
  }
}

TEST(Load, TakesANameInParentheses) {
  const Project project = load_text("job(\"a\" .. 1) {\n  x = 1,\n}\njob('b') {\n x = 1 }\n");
  ASSERT_TRUE(no_errors(project.errors));
  EXPECT_EQ(attribute(project, "job", "a1", "x").line, 2);
  EXPECT_EQ(attribute(project, "job", "b", "x").line, 5);
}

TEST(Load, TwoDeclarationsOfOneLineHaveTheirOwnFields) {
  const Project project = load_text("job 'a' {\n x = 1 } job 'b' { x = 2,\n y = 3 }");
  EXPECT_EQ(attribute(project, "job", "a", "x").line, 2);
  EXPECT_EQ(attribute(project, "job", "b", "x").line, 2);
  EXPECT_EQ(attribute(project, "job", "b", "y").line, 3);
}

TEST(Load, ADeclarationInAFunctionKnowsWhoCalled) {
  const Project project = load_text(
      "local function mk(n)\n  code(n) { srcs = 5 }\nend\nlocal function two()\n  mk 'a'\nend\ntwo()\n");
  ASSERT_TRUE(no_errors(project.errors));
  const Declaration& declaration = project.declarations.at(0);
  EXPECT_EQ(declaration.where.line, 2);
  const std::vector<Location> expected = {{"TRAINFILE.lua", 5}, {"TRAINFILE.lua", 7}};
  EXPECT_EQ(declaration.called_from, expected);
}

TEST(Load, ANameDeclaredTwiceIsToldAndTheRestGoesOn) {
  const Project project = load_text("code 'a' {}\n\ncode 'a' {}\ncode 'b' {}\nimage 'a' {}\n");
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_EQ(project.errors[0].where.text(), "TRAINFILE.lua:3");
  EXPECT_TRUE(says(project.errors[0].message, "TRAINFILE.lua:1"));
  EXPECT_EQ(project.declarations.size(), 3U);
}

struct Wrong {
  const char* text;
  int line;
  const char* message;
  const char* hint;
};

TEST(Load, AWrongFileHasOneErrorAtItsLine) {
  const Wrong cases[] = {
      {"code 'a' { }\ncode 'b' { srcs = = }\n", 2, "Unexpected symbol near '='", ""},
      {"code 'a' { x = 1\n", 2, "'}' expected (to close '{' at line 1) near <eof>", ""},
      {"\njobb 'x' {}\n", 2, "no global `jobb`", "Did you mean `job`?"},
      {"\n\nlocal x = nothing.at_all\n", 3, "no global `nothing`", ""},
      {"\nlocal t = {}\nt.a.b = 1\n", 3, "Attempt to index a nil value (field 'a')", ""},
      {"\njob 'x'\n", 2, "`job \"x\"` is left without its table", "job \"x\" { ... }"},
      {"job { name = 'x' }\n", 1, "name of a `job` is a string, not a table", "before the table"},
      {"job(3) {}\n", 1, "not a number", ""},
      {"job('x', {})\n", 1, "takes its name alone", "job(name) { ... }"},
      {"job 'x' 'y'\n", 1, "`job \"x\"` takes a table, not a string", ""},
      {"local j = job 'x'\nj {}\nj {}\n", 3, "has its table already", ""},
      {"\nerror('no luck')\n", 2, "No luck", ""},
      {"\nerror({})\n", 2, "A table was raised as an error", ""},
      {"local function f() error('no', 2) end\n\nf()\n", 3, "No", ""},
      {"\nassert(false, 'broken')\n", 2, "Broken", ""},
      {"platform 'x' {}\n", 1, "`platform` does not belong in a TRAINFILE", "TRAINSPACE.lua"},
      {"default_store 'x'\n", 1, "`default_store` does not belong", "TRAINSPACE.lua"},
      {"project { nam = 'x' }", 1, "`nam` is not an attribute of `project`", ""},
      {"project { name = 7 }", 1, "expected a string, got a number", ""},
      {"project { name = 'x' }\nproject { name = 'y' }", 2, "first at TRAINFILE.lua:1", ""},
      {"job 'x' {\n a = 1,\n b = function() end }", 3, "`b` cannot be a function", ""},
      {"job 'x' {\n a = { b = {\n c = 0/0 } } }", 3, "`a.b.c` is not a finite number", ""},
      {"local t = {} t.t = t\njob 'x' { a = t }", 2, "`a.t` contains itself", ""},
      {"job 'x' { a = { 1, nil, 3 } }", 1, "`a` is a list with a hole", ""},
      {"job 'x' { a = { [1.5] = 1 } }", 1, "`a` has a key that is a number", ""},
      {"job 'x' { a = { [7] = 1 } }", 1, "`a` has a key that is the number 7", ""},
      {"job 'x' { a = { [true] = 1 } }", 1, "`a` has a key that is a boolean", ""},
      {"job 'x' { a = '\\xff' }", 1, "`a` is not UTF-8", ""},
      {"glob { 'a', exlude = 'b' }", 1, "`exlude` is not an option", "`exclude`"},
      {"glob(7)", 1, "not a number", ""},
      {"glob {}", 1, "no pattern", ""},
      {"list 'a/**'", 1, "`list` takes a glob, not a string", "list(glob"},
      {"data_dir '/etc'", 1, "below that folder", ""},
      {"data_dir '../x'", 1, "below that folder", ""},
      {"local x = 'a' .. data_dir 'x'", 1, "behind a placed path", ""},
      {"env 'NOT_SET'", 1, "`NOT_SET` is not set", "default"},
      {"env()", 1, "name of an environment variable", ""},
      {"load_file 'none.lua'", 1, "no file `none.lua`", ""},
      {"load_file '../x.lua'", 1, "files of the workspace alone", ""},
      {"load_file '/etc/passwd'", 1, "files of the workspace alone", ""},
      {"load_file 'TRAINFILE.lua'", 1, "`TRAINFILE.lua` loads `TRAINFILE.lua`", ""},
      {"select { other = 1 }", 1, "nothing for platform `local`", "`other`"},
      {"select(true)", 1, "takes a table, not a boolean", ""},
      {"\x1bLua", 1, "compiled Lua", ""},
      {"local a\nlocal b = '\xff'\n", 2, "not UTF-8", ""},
  };
  for (const Wrong& wrong : cases) {
    Scratch scratch(wrong.text);
    scratch.options.platform = scratch.options.platform_type = "local";
    const Project project = scratch.load();
    ASSERT_EQ(project.errors.size(), 1U) << wrong.text << no_errors(project.errors).message();
    EXPECT_EQ(project.errors[0].where, (Location{"TRAINFILE.lua", wrong.line}))
        << wrong.text << project.errors[0].message;
    EXPECT_TRUE(says(project.errors[0].message, wrong.message)) << wrong.text;
    EXPECT_TRUE(says(project.errors[0].hint, wrong.hint)) << wrong.text;
  }
}

TEST(Load, AllErrorsOfAFileAreToldTogether) {
  const Project project = load_text("job 'a' { x = print2 and 1 }\n");
  EXPECT_EQ(project.errors.size(), 1U);
  const Project more =
      load_text("job 'a' { x = error }\njob 'a' {}\nglob '/abs'\njob 'b' { y = 0/0, z = 1/0 }\njob 'c'\n");
  std::vector<int> lines;
  for (const Error& error : more.errors) lines.push_back(error.where.line);
  EXPECT_EQ(lines, (std::vector<int>{1, 2, 3, 4, 4, 5}));
}

TEST(Load, APathThatIsRefusedIsToldOnceAndEvaluationGoesOn) {
  const Project project = load_text(
      "local g = glob { '../x', '[z-a]', exclude = '/abs' }\njob 'a' { x = g, y = { g }, n = #list(g) }\n"
      "job 'b' { x = data_dir '../x' .. '/more' }\njob 'c' { x = 'a' .. output_dir '/abs' }\njob 'd' {}\n");
  std::vector<int> lines;
  for (const Error& error : project.errors) lines.push_back(error.where.line);
  EXPECT_EQ(lines, (std::vector<int>{1, 1, 1, 3, 4})) << no_errors(project.errors).message();
  EXPECT_TRUE(project.is_whole);
  ASSERT_EQ(project.declarations.size(), 4U);
  for (const Declaration& declaration : project.declarations)
    EXPECT_EQ(declaration.is_whole, declaration.name == "d") << declaration.name;
}

TEST(Load, AFileIsWholeUnlessItStoppedOrLeftSomethingOpen) {
  for (const char* text : {"job 'a' {}", "job 'a' { x = 0/0 }", "job 'a' {}\njob 'a' {}"})
    EXPECT_TRUE(load_text(text).is_whole) << text;
  for (const char* text : {"job 'a' {}\nerror 'x'", "job 'a'", "job 'a' {"})
    EXPECT_FALSE(load_text(text).is_whole) << text;
}

TEST(Load, AnAttributeThatCannotBeAValueStaysAsNil) {
  const Project project = load_text("job 'a' {\n x = { error },\n y = 1 }");
  const Declaration* declaration = find(project, "job", "a");
  ASSERT_NE(declaration, nullptr);
  ASSERT_NE(declaration->attributes.find("x"), nullptr);
  EXPECT_TRUE(declaration->attributes.find("x")->is_nil());
  EXPECT_EQ(*declaration->attributes.find("y")->integer(), 1);
}

TEST(Load, WhatWasDeclaredBeforeAnErrorIsKept) {
  const Project project = load_text("job 'a' {}\nerror 'x'\njob 'b' {}\n");
  EXPECT_EQ(project.errors.size(), 1U);
  EXPECT_EQ(project.declarations.size(), 1U);
}

TEST(Load, AnErrorInAFunctionNamesItsCallers) {
  const Error error = only_error("local function f(t)\n  return t.x.y\nend\n\nlocal a = f {}\n");
  EXPECT_EQ(error.where.text(), "TRAINFILE.lua:2");
  EXPECT_TRUE(says(error.hint, "Called from TRAINFILE.lua:5"));
  EXPECT_TRUE(
      says(only_error("local function f(n)\n  glob(n)\nend\nf(3)").hint, "Called from TRAINFILE.lua:4"));
}

TEST(Load, ALineThatStartsWithAParenthesisIsExplained) {
  for (const char* text : {"job 'x' {}\n\n(function() end)()\n", "job 'x'\n\n(function() end)()\n",
                           "local t = {}\nlocal u = t\n(error or t)()\n"}) {
    const Error error = only_error(text);
    EXPECT_TRUE(says(error.hint, "starts with `(`")) << text << error.message;
    EXPECT_TRUE(says(error.hint, "`;`")) << text;
  }
}

TEST(Load, WithoutATrainfileThereIsAHint) {
  Scratch scratch;
  const Project project = scratch.load("vision");
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_EQ(project.errors[0].message, "There is no TRAINFILE.lua in `vision`");
  EXPECT_TRUE(says(project.errors[0].hint, "trainmake new"));
  ASSERT_EQ(project.looks.files.size(), 1U);
  EXPECT_FALSE(project.looks.files[0].stat.exists());
}

TEST(Load, PathsAreFromTheRootInAFolder) {
  Scratch scratch;
  const std::string folder = "a-long-name-of-a-folder/another-long-name-of-a-folder/and-yet-another";
  scratch.write(folder + "/TRAINFILE.lua", "code 'c' {}\nlocal x = nil + 1\n");
  const Project project = scratch.load(folder);
  ASSERT_EQ(project.errors.size(), 1U);
  EXPECT_EQ(project.errors[0].where, (Location{folder + "/TRAINFILE.lua", 2}));
  EXPECT_EQ(project.errors[0].message, "Attempt to perform arithmetic on a nil value");
  EXPECT_EQ(project.declarations.at(0).where.file, folder + "/TRAINFILE.lua");
  scratch.write(folder + "/TRAINFILE.lua", "code 'c' {\n x = = }");
  EXPECT_EQ(scratch.load(folder).errors.at(0).where.line, 2);
  EXPECT_EQ(scratch.load(folder).errors.at(0).message, "Unexpected symbol near '='");
}

TEST(Load, AByteOrderMarkAndAShebangAreFine) {
  const Project project = load_text("\xEF\xBB\xBF#!/usr/bin/env trainmake\njob 'x' {}\n");
  ASSERT_TRUE(no_errors(project.errors));
  EXPECT_EQ(project.declarations.at(0).where.line, 2);
}

}  // namespace
}  // namespace trainmake
