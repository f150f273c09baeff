#include "lua/guard.h"

#include <lua5.4/lua.hpp>
#include <new>
#include <optional>

#include "engine/base/text.h"
#include "lua/evaluation.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr const char* kErrorType = "error";

Result<int> attempt(lua_State* state, Binding binding) {
  try {
    return binding(state);
  } catch (const std::bad_alloc&) {
    return fail(user_error("There is not enough memory"));
  } catch (const std::exception& surprise) {
    return fail(user_error(cat("A function of trainmake failed: ", surprise.what())).because(Blame::kBug));
  }
}

void push_error(lua_State* state, Error error) {
  const std::size_t held = error.message.size() + error.hint.size();
  Vm::of(state).charge(held);  // its texts were copied, quoted and searched
  // As large as what the error holds, so that it counts as memory of the file.
  void* place = lua_newuserdatauv(state, sizeof(Error) + held, 0);
  new (place) Error(std::move(error));
  luaL_setmetatable(state, kErrorType);
}

Error* error_at(lua_State* state, int index) {
  return static_cast<Error*>(luaL_testudata(state, index, kErrorType));
}

int drop_error(lua_State* state) {
  if (Error* error = error_at(state, 1)) error->~Error();
  return 0;
}

Result<int> error_text(lua_State* state) {
  const Error* error = error_at(state, 1);
  if (error == nullptr) return fail(user_error("This is no error"));
  const std::string text =
      error->where.known() ? cat(error->where.text(), ": ", error->message) : error->message;
  lua_pushlstring(state, text.data(), text.size());
  return 1;
}

// The name of a chunk as Lua writes it in messages: long ones are cut in front.
std::string short_name(std::string_view path) {
  constexpr std::size_t kMost = LUA_IDSIZE - 1;
  if (path.size() <= kMost) return std::string(path);
  return cat("...", path.substr(path.size() - (kMost - 3)));
}

// Reads `NAME:LINE: ` off the front of `message`.
std::optional<int> take_line(std::string_view& message, std::string_view name) {
  if (!message.starts_with(name) || !message.substr(name.size()).starts_with(":")) return std::nullopt;
  const std::string_view rest = message.substr(name.size() + 1);
  const std::size_t colon = rest.find(": ");
  if (colon == rest.npos) return std::nullopt;
  const std::optional<int> line = whole_number<int>(rest.substr(0, colon));
  if (line) message = rest.substr(colon + 2);
  return line;
}

Location take_place(std::string_view& message, const Sources& sources) {
  for (const auto& [path, source] : sources) {
    if (const std::optional<int> line = take_line(message, short_name(path))) return {path, *line};
  }
  take_line(message, "prelude");
  return {};
}

std::string sentence(std::string_view message) {
  std::string text = printable(message);
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

void place_error(lua_State* state, Error& error) {
  if (error.where.known()) return;
  const std::vector<Location> places = active_places(state);
  if (places.empty()) return;
  error.where = places.front();
  error.hint = join_hints(std::move(error.hint), call_hint(places, error.where));
}

// What Lua, or a call of `error`, raised as text.
Error error_of_text(lua_State* state, std::string_view message) {
  const Sources& sources = Vm::of(state).evaluation().sources;
  const std::vector<Location> places = active_places(state);
  Location where = take_place(message, sources);
  if (!where.known() && !places.empty()) where = places.front();
  Error error = user_error(sentence(message));
  if (message.starts_with("attempt to call")) error.hint = accidental_call_hint(sources, where);
  error.hint = join_hints(std::move(error.hint), call_hint(places, where));
  error.where = std::move(where);
  return error;
}

}  // namespace

int run_guarded(lua_State* state, Binding binding) {
  Result<int> returned = attempt(state, binding);
  if (!returned) raise(state, std::move(returned).error());
  return *returned;
}

void raise(lua_State* state, Error error) {
  place_error(state, error);
  luaL_checkstack(state, 4, nullptr);
  push_error(state, std::move(error));
  lua_error(state);
  check_failed("lua_error does not return", __FILE__, __LINE__);
}

std::vector<Location> active_places(lua_State* state, std::size_t most) {
  std::vector<Location> places;
  lua_Debug activation;
  for (int level = 0; places.size() < most && lua_getstack(state, level, &activation) != 0; ++level) {
    lua_getinfo(state, "Sl", &activation);
    if (activation.source[0] == '@' && activation.currentline > 0) {
      places.push_back({activation.source + 1, activation.currentline});
    }
  }
  return places;
}

Location innermost_place(lua_State* state) {
  const std::vector<Location> places = active_places(state, 1);
  return places.empty() ? Location() : places.front();
}

int explain_error(lua_State* state) {
  if (error_at(state, 1) != nullptr) return 1;
  if (lua_type(state, 1) == LUA_TSTRING || lua_type(state, 1) == LUA_TNUMBER) {
    std::size_t size = 0;
    const char* text = lua_tolstring(state, 1, &size);
    push_error(state, error_of_text(state, {text, size}));
  } else {
    Error error =
        user_error(cat("A ", luaL_typename(state, 1), " was raised as an error"), "Give `error` a text");
    place_error(state, error);
    push_error(state, std::move(error));
  }
  return 1;
}

Error take_error(lua_State* state) {
  Error error = user_error("An error happened while another was handled");
  if (Error* raised = error_at(state, -1)) error = *raised;
  lua_pop(state, 1);
  return error;
}

Error take_syntax_error(lua_State* state, const std::string& path) {
  std::size_t size = 0;
  const char* text = lua_tolstring(state, -1, &size);
  std::string_view message = text == nullptr ? "This is no Lua" : std::string_view(text, size);
  const int line = take_line(message, short_name(path)).value_or(1);
  Error error = user_error(sentence(message)).at({path, line});
  lua_pop(state, 1);
  return error;
}

std::string call_hint(const std::vector<Location>& places, const Location& where) {
  std::vector<std::string> calls;
  for (const Location& place : places) {
    if (place != where && (calls.empty() || calls.back() != place.text())) calls.push_back(place.text());
  }
  if (calls.empty()) return {};
  return cat("Called from ", join(calls, ", "));
}

std::string join_hints(std::string hint, std::string_view more) {
  if (more.empty()) return hint;
  if (!hint.empty()) hint += hint.ends_with('?') || hint.ends_with('.') ? " " : ". ";
  hint += more;
  return hint;
}

void register_errors(lua_State* state) {
  luaL_newmetatable(state, kErrorType);
  lua_pushcfunction(state, &drop_error);
  lua_setfield(state, -2, "__gc");
  lua_pushcfunction(state, &guarded<error_text>);
  lua_setfield(state, -2, "__tostring");
  lua_pushboolean(state, 0);
  lua_setfield(state, -2, "__metatable");
  lua_pop(state, 1);
}

}  // namespace trainmake
