// What was looked at to reach a conclusion: files, folders, and environment variables, with what they were.
// If none of them differs now, the conclusion still holds. This is how a run that has nothing to do proves it
// without starting Lua. Paths are from the workspace's root, or absolute outside it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/hash.h"

namespace trainmake {

struct Look {
  std::string path;
  Stat stat;                              // kind kNone: it was not there
  std::optional<Digest128> content = {};  // of a file that was read, so that a touch is told from an edit
  Links links = Links::kKeep;             // kFollow: of what a link leads to
};

struct Looks {
  std::vector<Look> files;                                    // files, and things that were not there
  std::vector<Look> folders;                                  // folders that were listed
  std::map<std::string, std::optional<Digest128>> variables;  // digests of values, which may be secrets
  bool asked = false;  // somebody else, who may say another thing by now: nothing is proved

  void add(const Looks& other);
  void add(Looks&& other);
  void add_variable(const std::string& name, const std::optional<std::string>& value);
  // Sorted by path, each path once (the earliest look, so that a later change is seen).
  void normalize();
};

// An mtime this close to (or after) the moment of the look proves nothing: the file may have been written
// again in the same tick of the file system's clock.
bool is_racy(const Stat& stat, std::int64_t looked_at_ns);

}  // namespace trainmake
