#include "lua/declare.h"

#include <algorithm>
#include <lua5.4/lua.hpp>
#include <utility>

#include "engine/base/text.h"
#include "lua/convert.h"
#include "lua/evaluation.h"
#include "lua/guard.h"
#include "lua/values.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kPassingCost = 10;        // in instructions, of passing over an open declaration
constexpr std::size_t kBytesOfDeclaration = 400;  // beside its name and attributes
constexpr std::size_t kCopiesOfName = 3;

Error no_name(lua_State* state, const std::string& kind) {
  const bool table = lua_type(state, 1) == LUA_TTABLE;
  return user_error(cat("The name of a `", kind, "` is a string, not ", described(state, 1)),
                    cat(table ? "The name goes before the table: `" : "Write `", kind, " \"name\" { ... }`"));
}

const TableLines* lines_of(const Evaluation& evaluation, const Pending& pending) {
  const Location& where = pending.places.front();
  const auto source = evaluation.sources.find(where.file);
  if (source == evaluation.sources.end()) return nullptr;
  return source->second.map().declaration(where.line, pending.kind, pending.name);
}

void add_declaration(lua_State* state, Evaluation& evaluation, Pending pending) {
  const Location where = pending.places.front();
  const std::string id = cat(pending.kind, ":", pending.name);
  const auto [first, fresh] = evaluation.first_places.try_emplace(id, where);
  if (!fresh) {
    evaluation.tell(user_error(cat(quoted(id), " is declared twice: first at ", first->second.text()),
                               "Give one of them another name")
                        .at(where));
    return;
  }
  const std::size_t told = evaluation.errors.size();
  Declaration declaration{std::move(pending.kind), std::move(pending.name), {}, where, {}};
  Converted converted =
      convert_table(state, 1, lines_of(evaluation, {0, declaration.kind, declaration.name, {where}}), where);
  for (std::size_t i = told; i < evaluation.errors.size(); ++i) {
    Error& error = evaluation.errors[i];
    error.hint = join_hints(std::move(error.hint), call_hint(pending.places, where));
  }
  declaration.attributes = std::move(converted.table);
  declaration.is_whole = converted.is_whole;
  declaration.called_from.assign(pending.places.begin() + 1, pending.places.end());
  evaluation.declarations.push_back(std::move(declaration));
}

// What `job "x"` gave, called with the table.
Result<int> finish_declaration(lua_State* state) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  const std::int64_t serial = lua_tointeger(state, lua_upvalueindex(1));
  const auto found = std::find_if(evaluation.pending.rbegin(), evaluation.pending.rend(),
                                  [&](const Pending& pending) { return pending.serial == serial; });
  if (found == evaluation.pending.rend()) {
    return fail(
        user_error("This declaration has its table already", "Declare the other one by its own name"));
  }
  if (lua_type(state, 1) != LUA_TTABLE) {
    Error error = user_error(
        cat("`", found->kind, " \"", printable(found->name), "\"` takes a table, not ", described(state, 1)));
    error.hint = accidental_call_hint(evaluation.sources, innermost_place(state));
    return fail(std::move(error));
  }
  TRY(Vm::of(state).spend(static_cast<std::uint64_t>(found - evaluation.pending.rbegin()) * kPassingCost));
  Pending pending = std::move(*found);
  evaluation.pending.erase(std::prev(found.base()));
  add_declaration(state, evaluation, std::move(pending));
  return 0;
}

}  // namespace

Result<int> declare_project(lua_State* state) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  const Location where = innermost_place(state);
  if (lua_type(state, 1) != LUA_TTABLE) {
    return fail(user_error(cat("`project` takes a table, not ", described(state, 1)),
                           "Write `project { name = \"x\" }`"));
  }
  const auto complain = [&](std::string message, std::string hint) {
    evaluation.tell(user_error(std::move(message), std::move(hint)).at(where));
  };
  if (evaluation.named_at.known()) {
    complain(cat("`project` stands here twice: first at ", evaluation.named_at.text()), "Keep one of them");
    return 0;
  }
  evaluation.named_at = where;
  const Table table = convert_table(state, 1, nullptr, where).table;
  if (!table.items.empty())
    complain("`project` takes `name = \"x\"` alone, not a list", "Write `project { name = \"x\" }`");
  for (const auto& [key, value] : table.fields) {
    if (value.is_nil()) continue;  // told by convert_table
    if (key != "name") {
      complain(cat(quoted(key), " is not an attribute of `project`"), "It has `name` alone");
    } else if (const std::string* name = value.string()) {
      evaluation.name = *name;
    } else {
      complain(cat("Attribute `name` of `project` is wrong: expected a string, got ", type_name(value)), {});
    }
  }
  return 0;
}

Result<int> declare_limits(lua_State* state) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  const Location where = innermost_place(state);
  if (lua_type(state, 1) != LUA_TTABLE) {
    return fail(user_error(cat("`limits` takes a table, not ", described(state, 1)),
                           "Write `limits { requests = 64, bandwidth = \"50MB\" }`"));
  }
  const auto [first, fresh] = evaluation.first_places.try_emplace("limits", where);
  if (!fresh) {
    evaluation.tell(
        user_error(cat("`limits` stands here twice: first at ", first->second.text()), "Keep one of them")
            .at(where));
    return 0;
  }
  Converted converted = convert_table(state, 1, nullptr, where);
  evaluation.declarations.push_back(
      {"limits", "", std::move(converted.table), where, {}, converted.is_whole});
  return 0;
}

Result<int> begin_declaration(lua_State* state) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  std::string kind = text_at(state, lua_upvalueindex(1));
  if (lua_type(state, 1) != LUA_TSTRING) return fail(no_name(state, kind));
  if (lua_gettop(state) > 1) {
    return fail(user_error(cat("`", kind, "` takes its name alone; the table follows it"),
                           cat("Write `", kind, "(name) { ... }`")));
  }
  Pending pending{++evaluation.last_serial, std::move(kind), text_at(state, 1), active_places(state)};
  if (pending.places.empty()) pending.places.push_back({evaluation.running.front(), 0});
  if (Vm& vm = Vm::of(state); !vm.may_keep(kBytesOfDeclaration + kCopiesOfName * pending.name.size()))
    return fail(vm.over_declared());
  lua_pushinteger(state, pending.serial);
  evaluation.pending.push_back(std::move(pending));
  lua_pushcclosure(state, &guarded<finish_declaration>, 1);
  return 1;
}

Result<int> declare_default(lua_State* state) {
  Evaluation& evaluation = Vm::of(state).evaluation();
  const std::string kind = text_at(state, lua_upvalueindex(1));
  if (lua_type(state, 1) != LUA_TSTRING) {
    return fail(user_error(cat("`default_", kind, "` takes a name, not ", described(state, 1)),
                           cat("Write `default_", kind, " \"name\"`")));
  }
  const Location where = innermost_place(state);
  const auto [first, fresh] = evaluation.defaults.try_emplace(kind, text_at(state, 1), where);
  if (!fresh) {
    evaluation.tell(
        user_error(cat("`default_", kind, "` stands here twice: first at ", first->second.second.text()),
                   "Keep one of them")
            .at(where));
  }
  return 0;
}

}  // namespace trainmake
