// What one TRAINFILE.lua, and the workspace's TRAINSPACE.lua, declare. The output of `load`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/looks.h"
#include "engine/model/value.h"

namespace trainmake {

struct Declaration {
  std::string kind;
  std::string name;
  Table attributes;
  Location where;                     // the line of the declaration
  std::vector<Location> called_from;  // innermost first, when a function declared it
  bool is_whole = true;               // false: an attribute could not be taken, and that was told
};

struct Project {
  std::string folder;  // from the workspace's root; "" is the root itself
  std::string name;    // project { name = ... }, or ""
  std::vector<Declaration> declarations;
  std::vector<Error> errors;
  Looks looks;
  bool is_whole = true;  // false: it did not run to its end, and may declare less than it says
};

// A platform, store or registry of TRAINSPACE.lua, or what it says of all stores together.
struct Service {
  std::string kind;  // platform, store, registry, limits
  std::string name;  // "" of limits
  Table attributes;
  Location where;

  const std::string* text(std::string_view attribute) const;
  std::string text_or(std::string_view attribute, std::string_view otherwise) const;
  bool says_yes(std::string_view attribute) const;
  void add(std::string attribute, Value value);  // unless it says something of that already
};

struct Space {
  std::vector<Service> services;
  std::string default_platform;
  std::string default_store;
  std::string default_registry;
  std::vector<Error> errors;
  Looks looks;

  const Service* find(std::string_view kind, std::string_view name) const;
  std::vector<std::string> names(std::string_view kind) const;
};

// Where things are. `root` and `cache` are absolute; `here` is the project folder that the current folder
// lies in.
struct Workspace {
  std::string root;
  std::string cache;
  std::string here;

  std::string path(std::string_view from_root) const;
};

}  // namespace trainmake
