#include "lua/types.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/base/text.h"
#include "lua/globals.h"

namespace trainmake {
namespace {

// All that does not depend on a schema.
constexpr std::string_view kMeta = R"lua(---@meta trainmake

---Patterns that trainmake expands; `list(glob)` gives the paths.
---@class trainmake.glob

---A path below a folder that the platform's contract places. Text can be added behind it with `..`.
---@class trainmake.placed_path
---@operator concat(string|number): trainmake.placed_path

---@alias trainmake.scalar string|number|boolean
---@alias trainmake.files string|trainmake.glob|(string|trainmake.glob)[]
---@alias trainmake.argument trainmake.scalar|trainmake.placed_path|(trainmake.scalar|trainmake.placed_path)[]
---@alias trainmake.channels string|table<string|integer, string>

---@class (exact) trainmake.file_layer
---@field srcs trainmake.files
---@field dest string

---@class trainmake.service
---@field type? string
---@field url? string
---@field endpoint? string
---@field region? string
---@field path_style? boolean
---@field conditional? boolean
---@field create? boolean
---@field insecure? boolean
---@field ca? string
---@field compression? "gzip"|"zstd"
---@field [string] any

---Names the project.
---@param attributes { name: string }
function project(attributes) end

---Patterns of files: `**`, `*`, `?`, `[a-z]`, `{a,b}`. With a table: `exclude = pattern or list`, `allow_empty = true`.
---@param patterns string|{ [integer]: string, exclude?: string|string[], allow_empty?: boolean }
---@return trainmake.glob
function glob(patterns) end

---The sorted paths that a glob matches.
---@param files trainmake.glob
---@return string[]
function list(files) end

---An environment variable; an error when it is not set and there is no default.
---@generic T
---@param name string
---@param default? T
---@return string|T
function env(name, default) end

---What the file at `path` returns; the path is from the folder of this file.
---@param path string
---@return any
function load_file(path) end

---What may be asked of all stores together, in TRAINSPACE.lua.
---@param attributes { requests?: integer, bandwidth?: string }
function limits(attributes) end

---The value for the chosen platform: by its name, then by its type, then `default`.
---@generic T
---@param choices table<string, T>
---@return T
function select(choices) end
)lua";

std::string type_of(const Attribute& attribute) {
  switch (attribute.shape) {
    case Shape::kBoolean:
      return "boolean";
    case Shape::kInteger:
      return "integer";
    case Shape::kNumber:
      return "number";
    case Shape::kString:
    case Shape::kLabel:
      return "string";
    case Shape::kStringList:
    case Shape::kLabelList:
      return "string|string[]";
    case Shape::kFiles:
      return "trainmake.files";
    case Shape::kChannels:
      return "trainmake.channels";
    case Shape::kScalarMap:
      return "table<string, trainmake.scalar>";
    case Shape::kStringMap:
      return "table<string, string>";
    case Shape::kArguments:
      return "table<string, trainmake.argument>";
    case Shape::kFileLayers:
      return "trainmake.file_layer[]";
    case Shape::kVariants:
      return "string|table<string, string>";
    case Shape::kWord:
      return "string|trainmake.placed_path";
    case Shape::kCommand:
      return "(string|trainmake.placed_path)[]";
    case Shape::kTable:
    case Shape::kTableOrWord: {
      std::string fields;
      for (const Attribute& field : attribute.fields)
        fields += cat(fields.empty() ? "{ " : ", ", field.name, "?: ", type_of(field));
      const std::string table = fields.empty() ? "table" : fields + " }";
      return attribute.shape == Shape::kTableOrWord ? cat("string|", table) : table;
    }
    case Shape::kDuration:
      return "number|string";
  }
  return "any";
}

// A doc as one line.
std::string one_line(std::string_view doc) {
  std::string text(trim(doc));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void add_kind(std::string& out, const Schema& schema) {
  out += cat("\n---@class (exact) trainmake.", schema.kind, "\n");
  for (const Attribute& attribute : schema.attributes) {
    out += cat("---@field ", attribute.name, attribute.required ? " " : "? ", type_of(attribute));
    if (!attribute.doc.empty()) out += cat(" ", one_line(attribute.doc));
    out += '\n';
  }
  if (!schema.doc.empty()) out += cat("\n---", one_line(schema.doc));
  out += cat("\n---@param name string\n---@return fun(attributes: trainmake.", schema.kind, ")\nfunction ",
             schema.kind, "(name) end\n");
}

void add_placed_path(std::string& out, std::string_view name) {
  const std::string_view folder = name.substr(0, name.find('_'));
  out += cat("\n---A path below the job's ", folder,
             " folder, wherever the platform puts it.\n---@param path? string\n",
             "---@return trainmake.placed_path\nfunction ", name, "(path) end\n");
}

void add_declared(std::string& out, std::string_view kind) {
  out += cat("\n---A ", kind, " of the workspace, in TRAINSPACE.lua.\n---@param name string\n",
             "---@return fun(attributes: trainmake.service)\nfunction ", kind, "(name) end\n");
}

void add_service(std::string& out, std::string_view kind) {
  add_declared(out, kind);
  out +=
      cat("\n---The ", kind, " that is used when none is named, in TRAINSPACE.lua.\n---@param name string\n",
          "function default_", kind, "(name) end\n");
}

}  // namespace

std::string luals_types(const std::vector<const Schema*>& schemas) {
  std::string out(kMeta);
  for (const Schema* schema : schemas) add_kind(out, *schema);
  for (const Place place : {Place::kCode, Place::kData, Place::kOutput, Place::kCheckpoint, Place::kLog}) {
    add_placed_path(out, name_of(place));
  }
  for (const std::string_view kind : {"platform", "store", "registry"}) add_service(out, kind);
  add_declared(out, "contract");
  return out;
}

std::string luarc_json(const std::string& library) {
  nlohmann::ordered_json settings;
  settings["$schema"] = "https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json";
  settings["runtime.version"] = "Lua 5.4";
  for (const char* name : {"coroutine", "debug", "io", "os", "package"})
    settings["runtime.builtin"][name] = "disable";
  settings["workspace.library"] = {library};
  for (const Global& global : globals()) settings["diagnostics.globals"].push_back(global.name);
  settings["diagnostics.disable"] = {"lowercase-global"};
  return settings.dump(2) + "\n";
}

}  // namespace trainmake
