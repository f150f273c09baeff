// Files that would run without end, or fill the memory, where the instruction count does not see it: each is
// stopped soon, with an error at its line.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer) || defined(TRAINMAKE_UNOPTIMIZED)
constexpr bool kAsShipped = false;
#else
constexpr bool kAsShipped = true;
#endif

// The shipped program keeps its own limits within this time of the processor; alone it takes under two
// seconds. What sanitizers slow down is tried with an eighth of each limit, and held to no time.
constexpr std::chrono::seconds kSoon{10};
constexpr LoadLimits kEighth{12'500'000, 32U << 20U, 1U << 20U, 64U << 20U};

struct HostileFile : Scratch {
  explicit HostileFile(const std::string& text) : Scratch(text) {
    if (!kAsShipped) options.limits = kEighth;
  }
};

// What `body`, on line 2, is stopped with.
Error stopped_by(const std::string& body) {
  HostileFile scratch(cat("local x = 1\n", body, "\n"));
  const std::int64_t start = thread_cpu_ns();
  const Project project = scratch.load();
  if (kAsShipped) {
    EXPECT_LT(std::chrono::nanoseconds(thread_cpu_ns() - start), kSoon) << body;
  }
  EXPECT_EQ(project.errors.size(), 1U) << body;
  if (project.errors.empty()) return {};
  EXPECT_EQ(project.errors[0].where, (Location{"TRAINFILE.lua", 2})) << body;
  return project.errors[0];
}

void expect_stopped(std::initializer_list<const char*> bodies) {
  for (const char* body : bodies) {
    const Error error = stopped_by(body);
    EXPECT_TRUE(says(error.message, "The file ")) << body;
  }
}

const char* const kLongTable = "local t = {} for i = 1, 1e6 do t[i] = '' end ";

TEST(Hostile, TableFunctionsCountWhatTheyDo) {
  expect_stopped({
      "table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 0)",
      "table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)",
      "table.concat(setmetatable({}, { __index = rawlen, __len = function() return 1 << 60 end }))",
      "table.move({}, 1, 1 << 60, 2)",
      "table.sort(setmetatable({}, { __len = function() return 1 << 60 end }), function() return false end)",
  });
  EXPECT_TRUE(
      says(stopped_by("table.unpack(setmetatable({}, { __len = function() return 1 << 60 end }))").message,
           "Too many results to unpack"));
}

TEST(Hostile, LongTablesAreNotWalkedForFree) {
  for (const char* loop : {
           "for i = 1, 1e9 do table.insert(t, 1, i) end",
           "for i = 1, 1e9 do table.remove(t, 1) end",
           "for i = 1, 1e9 do table.concat(t) end",
           "for i = 1, 1e9 do select('#', table.unpack(t, 1, 900000)) end",
           "for i = 1, 1e9 do next(t) end",
           "for i = 1, 1e9 do pairs(t) end",
           "for i = 1, 1e6 do t[i] = 'a' end while true do glob(t) end",
           "for i = 1, 1e6 do t[i] = nil end for i = 1, 1e9 do pairs(t) end",
           "for i = 1, 1e9 do t[-i] = 1 t[-i] = nil end",
       }) {
    expect_stopped({cat(kLongTable, loop).c_str()});
  }
}

// Such a call takes several times as long as other instructions: all 100 million take some seconds.
TEST(Hostile, CallsThatCostLittleAreCountedAlone) {
  Scratch scratch("for i in ipairs(setmetatable({}, { __index = rawlen })) do end");
  scratch.options.limits.instructions = 10'000'000;
  EXPECT_TRUE(says(scratch.load().errors.at(0).message, "The file ran for"));
}

TEST(Hostile, PatternsThatBacktrackAreStopped) {
  expect_stopped({
      "string.find(('a'):rep(1000), ('a*'):rep(12) .. 'b')",
      "string.match(('a'):rep(1 << 20), '.-b')",
      "string.gsub(('a'):rep(1 << 20), '.-b', '')",
      "for word in string.gmatch(('a'):rep(1 << 20), '.-b') do end",
      "string.find(('a'):rep(1 << 20), '[' .. ('b'):rep(1 << 19) .. ']')",
      "string.find(('a'):rep(1 << 20), ('a'):rep(1 << 19) .. 'b', 1, true)",
      "string.find(('('):rep(1 << 20), '%b()')",
      "local s = ('a'):rep(1 << 19) string.find(s .. s, '(' .. ('a'):rep(1 << 19) .. '*)%1b')",
      "string.find(('a'):rep(200), ('a?'):rep(100) .. ('a'):rep(150) .. 'b')",
      "while true do string.find(('a'):rep(1 << 20), 'b') end",
      "while true do pcall(string.find, ('a'):rep(1 << 10), 'a-a-b' .. ('a?'):rep(250)) end",
      "string.gsub(('x'):rep(1000000), '', ('%0'):rep(500000))",
      "while true do string.gmatch('', ('a'):rep(1 << 19)) end",
      "while true do string.find(('a'):rep(1 << 18), 'aa', 1, true) end",
  });
}

TEST(Hostile, LongTextsAreNotLookedAtForFree) {
  for (const char* loop : {
           "while true do local x = a < b end",
           "while true do local x = a == b end",
           "while true do local x = rawequal(a, b) end",
           "while true do local x = a .. b end",
           "while true do local x = #(a .. b) end",
           "while true do local x = a:upper() end",
           "while true do local x = a:reverse() end",
           "while true do local x = a:rep(2) end",
           "while true do local x = ('%s'):format(a) end",
           "while true do local x = a:format() end",
           "while true do local x = a:byte(1, 900000) end",
           "while true do local x = utf8.len(a) end",
           "while true do local x = tonumber(a, 36) end",
           "while true do local x = string.packsize(a:sub(1, -2)) end",
           "local t = { [a] = 1 } while true do local x = t[b] end",
           "while true do pcall(error, a) end",
           "while true do pcall(env, a) end",
           "while true do pcall(function() return _G[a] end) end",
       }) {
    expect_stopped({cat("local a, b = ('b'):rep(1 << 19) .. 'a', ('b'):rep(1 << 19) .. 'a' ", loop).c_str()});
  }
}

TEST(Hostile, ATextHasALongestLength) {
  EXPECT_TRUE(says(stopped_by("string.rep('x', 1 << 24)").message, "a text of more than 1.0 MiB"));
  EXPECT_TRUE(
      says(stopped_by("local s = 'x' while true do s = s .. s end").message, "a text of more than 1.0 MiB"));
}

TEST(Hostile, CollectingAFullMemoryIsCounted) {
  expect_stopped({
      "local t = {} for i = 1, 1e9 do pcall(function() t[i] = {} end) end",
      "local t = {} for i = 1, 4e6 do t[i] = {} end while true do pcall(string.rep, 'x', 1 << 30) end",
  });
}

TEST(Hostile, WhatIsKeptOutsideLuaIsMemoryToo) {
  const char* long_text = "local s = ('a'):rep(1 << 19) ";
  for (const char* loop : {
           "local t, p = {}, s:sub(1, 8000) while true do t[#t + 1] = glob(p) end",
           "local t = {} while true do t[#t + 1] = data_dir(s) end",
           "local t = {} while true do t[#t + 1] = select(2, pcall(env, s)) end",
           "local n = 0 while true do n = n + 1 env(s .. n, '') end",
           "local n = 0 while true do n = n + 1 code(s .. n) end",
           "local n = 0 while true do n = n + 1 code(s .. n) {} end",
           "local t = { [(s)] = s } for i = 1, 12 do t = { t, t } end code 'x' (t)",
       }) {
    expect_stopped({cat(long_text, loop).c_str()});
  }
  EXPECT_TRUE(says(HostileFile("code 'x' {}\nwhile true do code 'x' {} end").load().errors.back().message,
                   "The file "));
}

TEST(Hostile, DeclarationsCountWhatTheyHold) {
  const Error shared = stopped_by("local t = {} for i = 1, 40 do t = { t, t } end code 'x' { deep = t }");
  EXPECT_TRUE(says(shared.message, "`deep[1][1]"));
  EXPECT_TRUE(says(shared.message, "declares more than"));
  expect_stopped({
      "local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 1e9 do code('x' .. i) { t = t } end",
      "local t = {} for i = 1, 1e9 do t[i] = code('x' .. i) end",
      "local t = {} for i = 1, 2e5 do t[i] = code('x' .. i) end for i = 1, 2e5 do t[i] {} end "
      "while true do end",
  });
}

TEST(Hostile, AListThatOnlySeemsLongTakesNoRoom) {
  const Error error = stopped_by(
      "local t = { 1, 1, 1, 1, [5] = 1, [9] = 1 } for i = 3, 40 do t[1 << i] = 1 end code 'x' { t = t }");
  EXPECT_TRUE(says(error.message, "declares more than "));
  EXPECT_TRUE(says(error.message, "MiB, at `t`"));
}

TEST(Hostile, ErrorsAreToldUpToANumber) {
  const Project project = HostileFile("while true do glob '/' end").load();
  EXPECT_EQ(project.errors.size(), 1001U);
  EXPECT_TRUE(says(project.errors.back().message, "The file "));
}

// A `__mode` that comes after setmetatable is not refused. When Lua collects depends on sizes alone, so that
// even then a file comes to the same each time.
TEST(Hostile, WhatVanishesFromAWeakTableIsTheSameEachTime) {
  const std::string text = R"(
    local meta = {}
    local t = setmetatable({}, meta)
    meta.__mode = "kv"
    for i = 1, 20000 do t[i] = { tostring(i) } end
    local left = 0
    for _ in pairs(t) do left = left + 1 end
    code("left" .. left) {}
  )";
  const Project first = load_text(text);
  ASSERT_EQ(first.declarations.size(), 1U);
  EXPECT_NE(first.declarations[0].name, "left20000") << "nothing was collected";
  for (int i = 0; i < 5; ++i) {
    const auto elsewhere = std::make_unique<char[]>(1000);  // other addresses
    const Project again = load_text(text);
    ASSERT_EQ(again.declarations.size(), 1U);
    EXPECT_EQ(again.declarations[0].name, first.declarations[0].name);
  }
}

}  // namespace
}  // namespace trainmake
