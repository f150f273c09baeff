// What a TRAINFILE cannot reach, where it is stopped, and that it comes out the same every time.
#include "lua/sandbox.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

// What `expression` is, as text; its file has no error.
std::string value_of(const std::string& expression, const std::string& before = "") {
  const Project project = load_text(cat(before, "\njob 'x' { value = ", expression, " }\n"));
  EXPECT_TRUE(no_errors(project.errors)) << expression;
  if (project.declarations.empty()) return {};
  const Value* value = project.declarations[0].attributes.find("value");
  return value == nullptr ? "nil" : value->is_scalar() ? scalar_text(*value) : json_text(*value);
}

TEST(Sandbox, WhatReachesOutsideIsToldAtItsLine) {
  const char* bodies[] = {
      "os.execute('true')",
      "io.open('/etc/passwd')",
      "debug.getinfo(1)",
      "require 'os'",
      "dofile '/etc/passwd'",
      "loadfile 'x'",
      "package.loadlib('x')",
      "load('return 1')()",
      "string.dump(error)",
      "load(string.dump(error))()",
      "math.random()",
      "math.randomseed(1)",
      "print('x')",
      "collectgarbage()",
      "coroutine.wrap(error)",
      "warn('@on')",
      "local x = _G.os",
      "local x = _ENV.io",
      "('x').dump(error)",
  };
  for (const char* body : bodies) {
    const Error error = only_error(cat("local x = 1\n", body, "\n"));
    EXPECT_EQ(error.where, (Location{"TRAINFILE.lua", 2})) << body;
    EXPECT_TRUE(says(error.message, "is not available")) << body;
    EXPECT_FALSE(error.hint.empty()) << body;
  }
}

TEST(Sandbox, NoGlobalLeadsOutside) {
  const std::string names =
      value_of("names", "local names = {} for name in pairs(_G) do names[#names + 1] = name end");
  for (const char* name :
       {"\"os\"", "\"io\"", "\"debug\"", "\"package\"", "\"require\"", "\"load\"", "\"print\""}) {
    EXPECT_EQ(names.find(name), std::string::npos) << names;
  }
}

TEST(Sandbox, TheGlobalsOfAFileAreItsOwn) {
  EXPECT_EQ(value_of("shared + 1", "shared = 1"), "2");
  EXPECT_TRUE(says(only_error("setmetatable(_G, nil)").message, "metatable"));
}

TEST(Sandbox, WhatDoesNotEndIsStoppedAtItsLine) {
  const char* bodies[] = {
      "while true do end",
      "while true do pcall(function() while true do end end) end",
      "while true do pcall(string.rep, 'x', 1 << 40) end",
      "local function f() return f() end f()",
      "for i = 1, 1e12 do end",
      "while true do local s = string.rep('x', 1 << 20) end",
      "while true do xpcall(error, function() while true do end end) end",
      "table.move({}, 1, 1 << 60, 2)",
      "table.sort(setmetatable({}, { __len = function() return 1 << 40 end }), function() return false end)",
  };
  for (const char* body : bodies) {
    Scratch scratch(cat("local x = 1\n", body, "\n"));
    scratch.options.limits.instructions = 10'000'000;
    const Project project = scratch.load();
    ASSERT_EQ(project.errors.size(), 1U) << body;
    EXPECT_EQ(project.errors[0].where, (Location{"TRAINFILE.lua", 2})) << body;
    EXPECT_TRUE(says(project.errors[0].message, "more than 10000000 instructions")) << body;
  }
}

TEST(Sandbox, MemoryWithoutEndIsStoppedAtItsLine) {
  const char* bodies[] = {
      "string.rep('x', 1 << 30)",
      "local t = {} for i = 1, 1e12 do t[i] = {i} end",
      "local t = {} for i = 1, 1e12 do t[i] = string.rep('x', 100000) .. i end",
      "local s = ('x'):rep(1 << 20) local t = {} for i = 1, 1000 do t[i] = s .. i end",
  };
  for (const char* body : bodies) {
    Scratch scratch(cat("local x = 1\n", body, "\n"));
    scratch.options.limits.memory_bytes = 32U << 20U;
    const Project project = scratch.load();
    ASSERT_EQ(project.errors.size(), 1U) << body;
    EXPECT_EQ(project.errors[0].where, (Location{"TRAINFILE.lua", 2})) << body;
    EXPECT_TRUE(says(project.errors[0].message, "more than 32.0 MiB of memory")) << body;
  }
}

TEST(Sandbox, TooLongATextIsAnErrorOfItsLine) {
  EXPECT_EQ(first_error("local x = 1\nstring.rep('x', 1 << 40)\n").where.line, 2);
  EXPECT_EQ(first_error("local x = 1\nstring.rep('x', 1 << 62)\n").where.line, 2);
  EXPECT_EQ(value_of("#string.rep('', 1 << 60)"), "0");
}

TEST(Sandbox, EndlessRecursionIsAnErrorOfItsLine) {
  const Error error = first_error("local function f(n)\n  return 1 + f(n + 1)\nend\nf(1)\n");
  EXPECT_EQ(error.where.line, 2);
  EXPECT_TRUE(says(error.message, "Stack overflow"));
  EXPECT_LT(error.hint.size(), 1000U);
  EXPECT_EQ(first_error("local t = setmetatable({}, {})\ngetmetatable(t).__index = function(_, k) return "
                        "t[k] end\nlocal x = t.y\n")
                .where.line,
            2);
}

TEST(Sandbox, SearchesFindWhatLuaFinds) {
  EXPECT_EQ(value_of("{ ('key = value'):match('^(%w+)%s*=%s*(%w+)$') }"), "[\"key\",\"value\"]");
  EXPECT_EQ(value_of("{ ('hello'):find('l') }"), "[3,3]");
  EXPECT_EQ(value_of("{ ('hello'):find('(l)(l)') }"), "[3,4,\"l\",\"l\"]");
  EXPECT_EQ(value_of("{ ('a+b'):find('+', 1, true), ('hello'):find('', 10) }"), "[2]");
  EXPECT_EQ(value_of("{ ('hello'):find('', 6), ('hello'):find('l', -2) }"), "[6,4,4]");
  EXPECT_EQ(value_of("{ ('hello'):match('()ll()') }"), "[3,5]");
  EXPECT_EQ(value_of("{ ('abc'):gsub('%w', '%0%0') }"), "[\"aabbcc\",3]");
  EXPECT_EQ(value_of("{ ('hello world'):gsub('o', { o = 0 }, 1) }"), "[\"hell0 world\",1]");
  EXPECT_EQ(value_of("{ ('abc'):gsub('', '-') }"), "[\"-a-b-c-\",4]");
  EXPECT_EQ(value_of("{ ('x y'):gsub('%w', function(c) return c == 'x' and 'z' end) }"), "[\"z y\",2]");
  EXPECT_EQ(value_of("t", "local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[k] = v end"),
            "{\"a\":\"1\",\"b\":\"2\"}");
  EXPECT_TRUE(says(only_error("string.find('x', '(')").message, "malformed"));
  EXPECT_TRUE(says(only_error("string.gsub('x', 'x', '%2')").message, "Invalid capture index"));
}

TEST(Sandbox, TableFunctionsDoWhatLuaDoes) {
  const char* change = "local t = { 1, 2, 3 } table.insert(t, 4) table.insert(t, 1, 0) ";
  EXPECT_EQ(value_of("t", change), "[0,1,2,3,4]");
  EXPECT_EQ(value_of("{ table.remove(t), table.remove(t, 1), #t }", change), "[4,0,3]");
  EXPECT_EQ(value_of("table.remove({}) == nil and table.remove({}, 1) == nil"), "true");
  EXPECT_EQ(value_of("table.concat({ 1, 'b', 2.5 }, ', ')"), "1, b, 2.5");
  EXPECT_EQ(value_of("table.concat({ 'a', 'b', 'c' }, '', 2, 3) .. table.concat {}"), "bc");
  EXPECT_EQ(value_of("{ table.unpack({ 1, 2, 3 }, 2) }"), "[2,3]");
  EXPECT_TRUE(says(only_error("table.insert({}, 5, 1)").message, "position out of bounds"));
  EXPECT_TRUE(says(only_error("table.remove({}, 5)").message, "position out of bounds"));
}

TEST(Sandbox, PairsWalksInTheOrderOfKeys) {
  const char* walk = R"(
    local t = { z = 1, a = 1, [10] = 1, [2] = 1, [1] = 1, [2.5] = 1, [-3] = 1, [true] = 1, [false] = 1, b = 1 }
    local seen = {}
    for key in pairs(t) do seen[#seen + 1] = tostring(key) end
    local again, key = {}, next(t)
    while key ~= nil do again[#again + 1] = tostring(key) key = next(t, key) end
  )";
  EXPECT_EQ(value_of("table.concat(seen, ' ')", walk), "-3 1 2 2.5 10 a b z false true");
  EXPECT_EQ(value_of("table.concat(again, ' ')", walk), "-3 1 2 2.5 10 a b z false true");
  EXPECT_EQ(value_of("next({}) == nil"), "true");
  EXPECT_TRUE(says(only_error("for k in pairs({ [{}] = 1 }) do end").message, "no order"));
}

TEST(Sandbox, PairsPassesOverWhatWasRemoved) {
  EXPECT_EQ(
      value_of(
          "seen",
          "local t, seen = { a = 1, b = 1, c = 1 }, '' for k in pairs(t) do t.b = nil seen = seen .. k end"),
      "ac");
  EXPECT_EQ(value_of("seen",
                     "local t = setmetatable({}, { __pairs = function() return next, { x = 1 } end }) local "
                     "seen for k in pairs(t) do seen = k end"),
            "x");
}

TEST(Sandbox, NothingHasAnAddress) {
  EXPECT_EQ(value_of("tostring({}) .. tostring(error) .. tostring(glob 'a') .. tostring(data_dir 'x')"),
            "tablefunctionglobplaced path");
  EXPECT_EQ(value_of("string.format('%s %5.1f %d%% %s', {}, 1.25, 3, error)"), "table   1.2 3% function");
  EXPECT_EQ(value_of("tostring(setmetatable({}, { __tostring = function() return 'me' end }))"), "me");
  EXPECT_TRUE(says(only_error("string.format('%p', {})").message, "addresses differ"));
}

TEST(Sandbox, SortIsStableAndOrdersAsLuaDoes) {
  EXPECT_EQ(value_of("t", "local t = { 5, 3, 9, 1, 7, 2 } table.sort(t)"), "[1,2,3,5,7,9]");
  EXPECT_EQ(value_of("t", "local t = { 'b', 'c', 'a' } table.sort(t, function(x, y) return x > y end)"),
            "[\"c\",\"b\",\"a\"]");
  const char* stable = R"(
    local t = {}
    for i = 1, 500 do t[i] = { key = i % 7, at = i } end
    table.sort(t, function(a, b) return a.key < b.key end)
    local fine = true
    for i = 2, 500 do
      if t[i].key < t[i - 1].key or (t[i].key == t[i - 1].key and t[i].at < t[i - 1].at) then fine = false end
    end
  )";
  EXPECT_EQ(value_of("fine", stable), "true");
  const Error error = only_error("local x\ntable.sort { 1, {} }\n");
  EXPECT_EQ(error.where.line, 2);
  EXPECT_EQ(error.message, "Attempt to compare table with number");
}

TEST(Sandbox, MoveDoesWhatLuaDoes) {
  EXPECT_EQ(value_of("table.move({ 1, 2, 3 }, 1, 3, 2)"), "[1,1,2,3]");
  EXPECT_EQ(value_of("table.move({ 1, 2, 3 }, 2, 3, 1)"), "[2,3,3]");
  EXPECT_EQ(value_of("table.move({ 1, 2 }, 1, 2, 3, { 8, 9 })"), "[8,9,1,2]");
}

TEST(Sandbox, ErrorsCanBeCaughtAndRaisedAgain) {
  EXPECT_EQ(value_of("tostring(e)", "local _, e = pcall(glob, 7)"),
            "TRAINFILE.lua:1: `glob` takes a pattern or a list of patterns, not a number");
  const Error error = only_error("local function f() glob(7) end\nlocal ok, e = pcall(f)\nerror(e)\n");
  EXPECT_EQ(error.where.line, 1);
  EXPECT_TRUE(says(only_error("local ok, e = pcall(error, 'a')\nerror(e, 0)\n").message, "A"));
}

TEST(Sandbox, XpcallHandsTheErrorToItsHandler) {
  EXPECT_EQ(value_of("{ xpcall(function(...) return select('#', ...), 'b' end, error, nil, nil) }"),
            "[true,2,\"b\"]");
  EXPECT_EQ(value_of("{ xpcall(error, function(e) return e .. '!' end, 'a') }"), "[false,\"a!\"]");
}

TEST(Sandbox, FinalizersAndWeakTablesAreRefused) {
  EXPECT_TRUE(says(only_error("setmetatable({}, { __gc = error })").message, "`__gc` is not available"));
  EXPECT_TRUE(says(only_error("setmetatable({}, { __mode = 'k' })").message, "`__mode` is not available"));
  EXPECT_EQ(value_of("t.x", "local t = setmetatable({}, { __index = { x = 4 } })"), "4");
}

}  // namespace
}  // namespace trainmake
