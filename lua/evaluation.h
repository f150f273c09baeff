// What the globals of a file work on while it runs: what was declared, what is wrong, what was looked at, and
// the texts of the files that were read. One per load, one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/base/host.h"
#include "engine/model/project.h"
#include "lua/load.h"
#include "lua/source_map.h"

struct lua_State;

namespace trainmake {

// The text of a file that is run, and, once asked for, where things stand in it.
struct Source {
  std::string text = {};
  mutable std::optional<SourceMap> lines = {};

  const SourceMap& map() const;
};
using Sources = std::map<std::string, Source>;  // by path from the root

// `job "x"` before its table.
struct Pending {
  std::int64_t serial = 0;
  std::string kind;
  std::string name;
  std::vector<Location> places;  // of the call, innermost first
};

enum class FileRole : std::uint8_t { kProject, kSpace };

struct Evaluation {
  const Host& host;
  const LoadOptions& options;
  FileRole role = FileRole::kProject;
  std::string folder = {};  // of the file, from the root

  std::string name = {};  // project { name = ... }
  Location named_at = {};
  std::vector<Declaration> declarations = {};
  std::map<std::string, std::pair<std::string, Location>> defaults =
      {};  // by kind: platform, store, registry
  std::vector<Error> errors = {};
  bool is_whole = true;  // as in Project
  Looks looks = {};

  Sources sources = {};
  std::vector<std::string> running = {};  // files being run, outermost first
  std::map<std::string, int> file_values =
      {};  // what load_file returned, as references into the Lua registry
  std::unordered_map<std::string, Location> first_places = {};  // of declarations, by `kind:name`
  std::vector<Pending> pending = {};
  std::int64_t last_serial = 0;

  // Adds to errors, until there are more than anyone reads.
  void tell(Error error);
};

inline constexpr std::size_t kMostErrors = 1000;

// Reads the file at `path` from the root into sources and looks; false when it is not there.
Result<bool> read_source(Evaluation& evaluation, const std::string& path);
// Compiles the source at `path` and leaves its function on the stack.
Result<void> compile(lua_State* state, const std::string& path, const Source& source);
// For an error at `where` that may be a call which nobody meant: how to end the statement. Else empty.
std::string accidental_call_hint(const Sources& sources, const Location& where);

}  // namespace trainmake
