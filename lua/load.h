// Reads a TRAINFILE.lua or the TRAINSPACE.lua into declarations. Every load has an interpreter of its own, so
// loads may run side by side. Knows the globals, not what kinds mean: attributes are checked later, against
// schemas.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "engine/model/lua_module.h"
#include "engine/model/project.h"

namespace trainmake {

inline constexpr const char* kTrainfile = "TRAINFILE.lua";
inline constexpr const char* kTrainspace = "TRAINSPACE.lua";

// What one file may cost before it is stopped: a second or so, and less memory than a laptop has.
struct LoadLimits {
  std::uint64_t instructions = 100'000'000;
  std::size_t memory_bytes = std::size_t{256} << 20U;
  std::size_t text_bytes = std::size_t{1} << 20U;        // of one string
  std::size_t declared_bytes = std::size_t{512} << 20U;  // of all that the declarations hold
};

struct LoadOptions {
  std::string root;           // absolute; every recorded path is from here
  std::string platform;       // the chosen platform's name, for select
  std::string platform_type;  // and its type
  LoadLimits limits = {};
  std::vector<LuaModule> modules = {};
  std::vector<std::string> stood_for = {};  // what select looks for, too: the platform whose jobs run here
};

// `folder` from the root. What is wrong is in Project::errors; all of it that can be told at once. An
// attribute that could not be converted is nil in its declaration, and its error is already there.
Project load_project(const Host& host, const LoadOptions& options, const std::string& folder);
// An empty Space when there is no TRAINSPACE.lua.
Space load_space(const Host& host, const std::string& root);

}  // namespace trainmake
