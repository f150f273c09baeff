#include "lua/lookups.h"

#include <algorithm>
#include <lua5.4/lua.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "engine/base/glob.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/base/walk.h"
#include "lua/evaluation.h"
#include "lua/guard.h"
#include "lua/values.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kWalkCost = 10'000;  // in instructions
constexpr std::uint64_t kWalkedFileCost = 20;
constexpr std::uint64_t kNameCost = 50;
constexpr std::size_t kBytesOfVariable = 200;

// The folders that were listed, and the named paths that were looked for: what the answer depends on.
void record_walk(Evaluation& evaluation, const Glob& glob, const Walked& walked) {
  for (const auto& [folder, stat] : walked.folders) {
    evaluation.looks.folders.push_back({path_join(evaluation.folder, folder), stat, std::nullopt});
  }
  for (const std::string& text : glob.include) {
    const Result<PathPattern> pattern = PathPattern::parse(text);
    if (!pattern) continue;
    const std::string path =
        path_join(evaluation.folder, pattern->is_literal() ? pattern->path() : pattern->root());
    const Result<Stat> stat = evaluation.host.files.look(path_join(evaluation.options.root, path));
    if (stat && (pattern->is_literal() || !stat->exists()))
      evaluation.looks.files.push_back({path, *stat, std::nullopt});
  }
}

// Slowness of the disk is not the file's.
Result<Walked> walk_and_pay(Vm& vm, const WalkRequest& request) {
  const std::int64_t start = thread_cpu_ns();
  Result<Walked> walked = walk(vm.evaluation().host.files, request);
  vm.excuse(thread_cpu_ns() - start);
  TRY(vm.spend(kWalkCost + (walked ? kWalkedFileCost * walked->files.size() : 0)));
  return walked;
}

// The path of `name` from the root, when it stays inside.
Result<std::string> place_beside(const std::string& loading, const std::string& name) {
  const std::optional<std::string> path = path_clean(path_join(path_folder(loading), name));
  if (name.starts_with('/') || !path) {
    return fail(user_error(cat("`load_file` reads files of the workspace alone, not ", quoted(name)),
                           "Give a path from the folder of this file"));
  }
  return *path;
}

Error circle(const std::vector<std::string>& running, const std::string& path) {
  std::string text;
  for (auto at = std::find(running.begin(), running.end(), path); at != running.end(); ++at)
    text += cat(quoted(*at), " loads ");
  return user_error(cat("Files load each other in a circle: ", text, quoted(path)),
                    "Move what both need into a third file");
}

// The file that the innermost line of ours stands in.
std::string loading_file(lua_State* state, const Evaluation& evaluation) {
  const Location place = innermost_place(state);
  return place.known() ? place.file : evaluation.running.back();
}

// Says which file runs, for as long as it lives; an error in the file ends that too.
class Running {
 public:
  Running(Evaluation& evaluation, const std::string& path) : evaluation_(evaluation) {
    evaluation_.running.push_back(path);
  }
  ~Running() { evaluation_.running.pop_back(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Evaluation& evaluation_;
};

std::vector<std::string> sorted_names(lua_State* state, int table) {
  std::vector<std::string> names;
  for (lua_pushnil(state); lua_next(state, table) != 0; lua_pop(state, 1)) {
    if (lua_type(state, -2) == LUA_TSTRING) names.push_back(quoted(text_at(state, -2)));
  }
  Vm::of(state).charge(names.size() * kNameCost);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<int> read_variable(lua_State* state) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  if (lua_type(state, 1) != LUA_TSTRING) {
    return fail(user_error(cat("`env` takes the name of an environment variable, not ", described(state, 1)),
                           "Write `env(\"NAME\", default)`"));
  }
  const std::string name = text_at(state, 1);
  const std::optional<std::string> value = evaluation.host.environment.get(name);
  if (!evaluation.looks.variables.contains(name)) {
    if (Vm& vm = Vm::of(state); !vm.may_keep(kBytesOfVariable + name.size())) return fail(vm.over_declared());
    evaluation.looks.add_variable(name, value);
  }
  if (value) {
    lua_pushlstring(state, value->data(), value->size());
  } else if (lua_isnoneornil(state, 2)) {
    return fail(user_error(cat("Environment variable ", quoted(name), " is not set"),
                           cat("Set it, or give a default: `env(\"", printable(name), "\", default)`")));
  } else {
    lua_pushvalue(state, 2);
  }
  return 1;
}

Result<int> list_files(lua_State* state) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  if (is_refused(state, 1)) {
    lua_newtable(state);
    return 1;
  }
  const Glob* glob = glob_at(state, 1);
  if (glob == nullptr) {
    return fail(
        user_error(cat("`list` takes a glob, not ", described(state, 1)), "Write `list(glob \"data/**\")`"));
  }
  WalkRequest request;
  request.top = path_join(evaluation.options.root, evaluation.folder);
  request.include = glob->include;
  request.exclude = glob->exclude;
  request.boundary = kTrainfile;
  TRY_ASSIGN(const Walked walked, walk_and_pay(Vm::of(state), request));
  record_walk(evaluation, *glob, walked);
  if (!walked.unmatched.empty() && !glob->allow_empty) {
    return fail(user_error(cat("Pattern ", quoted(walked.unmatched.front()), " matches no file"),
                           "Correct it, or say `allow_empty = true`"));
  }
  lua_createtable(state, static_cast<int>(walked.files.size()), 0);
  lua_Integer index = 0;
  for (const WalkedFile& file : walked.files) {
    lua_pushlstring(state, file.path.data(), file.path.size());
    lua_rawseti(state, -2, ++index);
  }
  return 1;
}

Result<void> run_file(lua_State* state, const std::string& path) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  const Running running(evaluation, path);
  TRY(compile(state, path, evaluation.sources.at(path)));
  lua_call(state, 0, 1);
  return {};
}

Result<int> load_file(lua_State* state) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  if (lua_type(state, 1) != LUA_TSTRING) {
    return fail(user_error(cat("`load_file` takes a path, not ", described(state, 1)),
                           "Write `load_file \"common.lua\"`"));
  }
  TRY_ASSIGN(const std::string path, place_beside(loading_file(state, evaluation), text_at(state, 1)));
  if (const auto known = evaluation.file_values.find(path); known != evaluation.file_values.end()) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, known->second);
    return 1;
  }
  if (std::find(evaluation.running.begin(), evaluation.running.end(), path) != evaluation.running.end()) {
    return fail(circle(evaluation.running, path));
  }
  TRY_ASSIGN(const bool there, read_source(evaluation, path));
  if (!there) return fail(user_error(cat("There is no file ", quoted(path))));
  luaL_checkstack(state, 8, nullptr);
  if (Result<void> ran = run_file(state, path); !ran) {
    Error error = std::move(ran).error();
    if (error.where.known())
      error.hint = join_hints(std::move(error.hint), cat("Loaded at ", innermost_place(state).text()));
    return fail(std::move(error));
  }
  lua_pushvalue(state, -1);
  evaluation.file_values[path] = luaL_ref(state, LUA_REGISTRYINDEX);
  return 1;
}

Result<int> select_by_platform(lua_State* state) {
  if (lua_type(state, 1) == LUA_TNUMBER ||
      lua_type(state, 1) == LUA_TSTRING) {  // select('#', ...), select(2, ...)
    return lua_tocfunction(state, lua_upvalueindex(1))(state);
  }
  if (lua_type(state, 1) != LUA_TTABLE) {
    return fail(user_error(cat("`select` takes a table, not ", described(state, 1)),
                           "Write `select { slurm = a, default = b }`"));
  }
  const LoadOptions& options = Vm::of(state).evaluation().options;
  std::vector<std::string> wanted = {options.platform, options.platform_type};
  wanted.insert(wanted.end(), options.stood_for.begin(), options.stood_for.end());
  wanted.emplace_back("default");
  for (const std::string& name : wanted) {
    lua_pushlstring(state, name.data(), name.size());
    if (lua_rawget(state, 1) != LUA_TNIL) return 1;
    lua_pop(state, 1);
  }
  const std::vector<std::string> names = sorted_names(state, 1);
  return fail(
      user_error(cat("`select` has nothing for platform ", quoted(options.platform), " and no `default`"),
                 names.empty() ? "Add a `default`" : cat("It has ", join(names, ", "), "; add a `default`")));
}

}  // namespace trainmake
