// Holds the include lines to the table of rooms: CMakeLists.txt says who may know whom, architecture says
// what CMakeLists.txt may say. Reads text alone: an include in a comment block would count, and none is
// there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Names = std::set<std::string>;
using Rooms = std::map<std::string, Names>;        // a room → those it may include, itself not among them
using Files = std::map<std::string, std::string>;  // path from the root → text

bool starts_with_folder(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// The nearest room at or above the folder of `path`; "" when it lies in none.
std::string room_of(const Rooms& rooms, std::string_view path) {
  for (auto slash = path.rfind('/'); slash != std::string_view::npos; slash = path.rfind('/', slash - 1)) {
    const std::string folder(path.substr(0, slash));
    if (rooms.contains(folder)) return folder;
    if (slash == 0) break;
  }
  return "";
}

// room(FOLDER DEPS ... LINK ...) calls of a CMakeLists.txt.
Rooms parse_rooms(const std::string& cmake) {
  Rooms rooms;
  for (std::size_t at = cmake.find("\nroom("); at != std::string::npos; at = cmake.find("\nroom(", at + 1)) {
    const std::size_t begin = at + std::string_view("\nroom(").size();
    std::istringstream words(cmake.substr(begin, cmake.find(')', begin) - begin));
    std::string folder;
    words >> folder;
    Names& deps = rooms[folder];
    std::string list;
    for (std::string word; words >> word;) {
      if (word == "DEPS" || word == "LINK") {
        list = word;
      } else if (list == "DEPS") {
        deps.insert(word);
      }
    }
  }
  return rooms;
}

struct Include {
  std::string name;
  int line = 0;
};

std::vector<Include> includes_of(const std::string& text) {
  std::vector<Include> includes;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.starts_with("#include")) continue;
    const std::size_t begin = line.find_first_of("<\"");
    const std::size_t end = line.find_first_of(">\"", begin + 1);
    if (begin == std::string::npos || end == std::string::npos) continue;
    includes.push_back({line.substr(begin + 1, end - begin - 1), number});
  }
  return includes;
}

// What a room's text may not do, as "path:line: why".
std::vector<std::string> wrong_includes(const Rooms& rooms, const Files& files) {
  static const std::vector<std::string> kHeavy = {
      "nlohmann/", "sqlite3.h", "lua.h", "lua.hpp",  "lauxlib.h", "lualib.h",  "lua5.4",
      "git2",      "curl/",     "CLI/",  "openssl/", "zstd",      "httplib.h", "archive.h"};
  std::vector<std::string> wrong;
  for (const auto& [path, text] : files) {
    const std::string room = room_of(rooms, path);
    if (room.empty()) {
      wrong.push_back(path + ": lies in no room of CMakeLists.txt");
      continue;
    }
    for (const Include& include : includes_of(text)) {
      const std::string place = path + ":" + std::to_string(include.line) + ": ";
      const std::string other = room_of(rooms, include.name);
      if (!other.empty() && other != room && !rooms.at(room).contains(other)) {
        wrong.push_back(place + room + " may not include " + other);
      }
      const bool banned =
          include.name == "regex" || (include.name == "iostream" && !path.ends_with("/main.cc"));
      if (banned) wrong.push_back(place + "<" + include.name + "> is not used here");
      const bool heavy = std::any_of(kHeavy.begin(), kHeavy.end(), [&](const std::string& prefix) {
        return include.name.starts_with(prefix);
      });
      if (path.ends_with(".h") && heavy && include.name != "nlohmann/json_fwd.hpp") {
        wrong.push_back(place + include.name + " stands in a header");
      }
    }
  }
  return wrong;
}

// The table of architecture: what the DEPS of each room may be at most.
Names may_know(const Rooms& rooms, const std::string& room) {
  const Names model = {"engine/base", "engine/model"};
  const Names memory = {"engine/base", "engine/model", "engine/cloud"};
  const Names rule = {"engine/base",      "engine/model", "engine/cloud",
                      "engine/container", "cache",        "cache/stores"};
  const Rooms fixed = {
      {"engine/base", {}},
      {"engine/model", {"engine/base"}},
      {"engine/cloud", {"engine/base"}},
      {"engine/container", {"engine/base"}},
      {"engine/plan", model},
      {"engine/run", {"engine/base", "engine/model", "engine/plan"}},
      {"cache", memory},
      {"cache/stores", {"engine/base", "engine/model", "engine/cloud", "cache"}},
      {"lua", model},
      {"rules/code", rule},
      {"rules/data", rule},
      {"rules/image", rule},
      {"rules/job", rule},
  };
  if (const auto found = fixed.find(room); found != fixed.end()) return found->second;
  Names all;
  for (const auto& [name, deps] : rooms) all.insert(name);
  if (room == "engine/cli") return all;
  if (room == "rules") {  // the explicit list: every room below it, and the stores that it hands them
    std::erase_if(all, [](const std::string& name) {
      return name != "cache" && !starts_with_folder(name, "rules") &&
             !starts_with_folder(name, "cache/stores") && name != "engine/base" && name != "engine/model" &&
             name != "engine/cloud";
    });
    return all;
  }
  // A room off a corridor: the corridor, and what the corridor may; a chamber of such a room knows that, too.
  const std::map<std::string, std::string> corridors = {{"cache/stores", "cache/stores"},
                                                        {"rules/image/registries", "rules/image"},
                                                        {"rules/job/platforms", "rules/job"}};
  for (const auto& [folder, corridor] : corridors) {
    if (room.size() <= folder.size() || !starts_with_folder(room, folder)) continue;
    Names names = fixed.at(corridor);
    names.insert(corridor);
    for (const std::string& outer : all) {
      if (outer != room && outer.size() > folder.size() && starts_with_folder(room, outer))
        names.insert(outer);
    }
    return names;
  }
  return {};
}

std::vector<std::string> wrong_rooms(const Rooms& rooms) {
  std::vector<std::string> wrong;
  for (const auto& [room, deps] : rooms) {
    const Names allowed = may_know(rooms, room);
    for (const std::string& dep : deps) {
      if (!rooms.contains(dep)) wrong.push_back(room + ": " + dep + " is no room");
      if (!allowed.contains(dep)) wrong.push_back(room + ": architecture does not let it know " + dep);
    }
  }
  return wrong;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Files read_tree(const std::filesystem::path& root) {
  Files files;
  for (const char* top : {"engine", "lua", "cache", "rules"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      files[entry.path().lexically_relative(root).string()] = read(entry.path());
    }
  }
  return files;
}

std::string lines_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

const std::filesystem::path kRoot = TRAINMAKE_SOURCE_DIR;

TEST(Layers, CMakeSaysNoMoreThanArchitecture) {
  EXPECT_EQ(lines_of(wrong_rooms(parse_rooms(read(kRoot / "CMakeLists.txt")))), "");
}

TEST(Layers, IncludesFollowCMake) {
  const Files files = read_tree(kRoot);
  ASSERT_FALSE(files.empty());
  EXPECT_EQ(lines_of(wrong_includes(parse_rooms(read(kRoot / "CMakeLists.txt")), files)), "");
}

// The scanner itself, on a small tree.

const char* const kSmallCMake = R"(
function(room folder)
endfunction()
room(engine/base LINK m)
room(engine/model DEPS engine/base)
room(rules/job DEPS
     engine/base
     engine/model LINK z)
room(rules/job/platforms/local DEPS rules/job engine/base)
room(rules/job/platforms/slurm DEPS rules/job engine/base)
)";

std::vector<std::string> wrong_in(const Files& files) {
  return wrong_includes(parse_rooms(kSmallCMake), files);
}

using Lines = std::vector<std::string>;

TEST(LayersScanner, ReadsRoomsAndTheirDeps) {
  const Rooms rooms = parse_rooms(kSmallCMake);
  EXPECT_EQ(rooms.size(), 5U);
  EXPECT_EQ(rooms.at("engine/base"), Names{});
  EXPECT_EQ(rooms.at("rules/job"), (Names{"engine/base", "engine/model"}));
}

TEST(LayersScanner, AcceptsArrowsOfTheTable) {
  const Files files = {
      {"engine/model/label.cc", "#include \"engine/model/label.h\"\n#include \"engine/base/error.h\"\n"},
      {"rules/job/platforms/local/local.cc", "#include \"rules/job/platform.h\"\n"}};
  EXPECT_EQ(wrong_in(files), Lines{});
}

TEST(LayersScanner, RefusesAnArrowUpwards) {
  EXPECT_EQ(wrong_in({{"engine/base/error.h", "#pragma once\n#include \"engine/model/label.h\"\n"}}),
            Lines{"engine/base/error.h:2: engine/base may not include engine/model"});
}

TEST(LayersScanner, RefusesASiblingRoom) {
  EXPECT_EQ(
      wrong_in({{"rules/job/platforms/local/local.cc", "#include \"rules/job/platforms/slurm/slurm.h\"\n"}}),
      Lines{"rules/job/platforms/local/local.cc:1: rules/job/platforms/local may not include "
            "rules/job/platforms/slurm"});
}

TEST(LayersScanner, AFolderWithoutARoomBelongsToTheRoomAbove) {
  EXPECT_EQ(wrong_in({{"engine/base/error.cc", "#include \"rules/job/platforms/platform.h\"\n"}}),
            Lines{"engine/base/error.cc:1: engine/base may not include rules/job"});
}

TEST(LayersScanner, RefusesHeavyHeadersInHeadersAlone) {
  EXPECT_EQ(
      wrong_in({{"engine/base/json.cc", "#include <nlohmann/json.hpp>\n"},
                {"engine/base/json.h", "#include <nlohmann/json_fwd.hpp>\n#include <nlohmann/json.hpp>\n"}}),
      Lines{"engine/base/json.h:2: nlohmann/json.hpp stands in a header"});
}

TEST(LayersScanner, RefusesRegexAndIostream) {
  EXPECT_EQ(wrong_in({{"engine/base/text.cc", "#include <regex>\n#include <iostream>\n"}}),
            (Lines{"engine/base/text.cc:1: <regex> is not used here",
                   "engine/base/text.cc:2: <iostream> is not used here"}));
}

TEST(LayersScanner, RefusesAFileInNoRoom) {
  EXPECT_EQ(wrong_in({{"engine/new/thing.cc", ""}}),
            Lines{"engine/new/thing.cc: lies in no room of CMakeLists.txt"});
}

TEST(LayersScanner, RefusesATableThatArchitectureDoesNotAllow) {
  const Rooms rooms = parse_rooms("\nroom(lua DEPS engine/base cache)\nroom(engine/base)\nroom(cache)\n");
  EXPECT_EQ(wrong_rooms(rooms), Lines{"lua: architecture does not let it know cache"});
}

TEST(LayersScanner, RefusesATableWithSiblings) {
  const Rooms rooms = parse_rooms(
      "\nroom(cache/stores/dir DEPS cache/stores/s3)\nroom(cache/stores/s3)\nroom(cache/stores)\n");
  EXPECT_EQ(wrong_rooms(rooms), Lines{"cache/stores/dir: architecture does not let it know cache/stores/s3"});
}

}  // namespace
