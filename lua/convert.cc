#include "lua/convert.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <lua5.4/lua.hpp>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/text.h"
#include "lua/evaluation.h"
#include "lua/guard.h"
#include "lua/values.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr std::size_t kDeepest = 64;
constexpr std::size_t kLongestShown = 200;  // of a name, in an error
constexpr std::uint64_t kValueCost = 4;     // in instructions

class Converter {
 public:
  Converter(lua_State* state, const Location& where) : state_(state), where_(where) {}

  Converted attributes(int index, const TableLines* lines) {
    std::optional<Table> table = read_table(index, lines, true);
    return {table ? *std::move(table) : Table(), is_whole_};
  }

 private:
  // Empty when it can be no value; the error is told then.
  std::optional<Value> read(int index, const ValueLine* place) {
    Value value;
    if (place != nullptr) line_ = value.line = place->line;
    switch (lua_type(state_, index)) {
      case LUA_TBOOLEAN:
        value.data = lua_toboolean(state_, index) != 0;
        return value;
      case LUA_TNUMBER:
        if (lua_isinteger(state_, index) != 0) {
          value.data = std::int64_t{lua_tointeger(state_, index)};
          return value;
        }
        if (!std::isfinite(lua_tonumber(state_, index))) return refuse("is not a finite number");
        value.data = double{lua_tonumber(state_, index)};
        return value;
      case LUA_TSTRING: {
        std::size_t size = 0;
        const char* bytes = lua_tolstring(state_, index, &size);
        hold(size);
        std::string text(bytes, size);
        if (text.find('\0') != std::string::npos || !is_utf8(text)) return refuse("is not UTF-8 text");
        value.data = std::move(text);
        return value;
      }
      case LUA_TTABLE: {
        std::optional<Table> table =
            read_table(index, place == nullptr ? nullptr : place->table.get(), false);
        if (!table) return std::nullopt;
        value.data = *std::move(table);
        return value;
      }
      case LUA_TUSERDATA:
        hold(lua_rawlen(state_, index));
        if (const Glob* glob = glob_at(state_, index)) {
          value.data = *glob;
          return value;
        }
        if (const PlacedPath* placed = placed_at(state_, index)) {
          value.data = *placed;
          return value;
        }
        if (is_refused(state_, index)) return is_whole_ = false, std::nullopt;
        break;
      default:
        break;
    }
    return refuse(cat("cannot be ", described(state_, index)));
  }

  std::optional<Table> read_table(int index, const TableLines* lines, bool top) {
    const void* self = lua_topointer(state_, index);
    if (std::find(above_.begin(), above_.end(), self) != above_.end()) return refuse_table("contains itself");
    if (above_.size() >= kDeepest) return refuse_table(cat("is more than ", kDeepest, " tables deep"));
    luaL_checkstack(state_, 4, nullptr);
    above_.push_back(self);
    std::optional<Table> table = read_entries(lua_absindex(state_, index), lines, top);
    above_.pop_back();
    return table;
  }

  std::optional<Table> read_entries(int index, const TableLines* lines, bool top) {
    Table table;
    const auto count = static_cast<std::size_t>(lua_rawlen(state_, index));
    hold(count, sizeof(Value));
    table.items.resize(count);
    std::size_t found = 0;
    bool fine = true;
    const int line = line_;
    for (lua_pushnil(state_); lua_next(state_, index) != 0; lua_pop(state_, 1)) {
      line_ = line;
      if (lua_type(state_, -2) == LUA_TSTRING) {
        fine = read_field(table, lines, top) && fine;
      } else if (const std::size_t at = position(count); at != 0) {
        ++found;
        fine = read_item(table, at, lines, top) && fine;
      } else {
        refuse(cat("has a key that is ", key_text(), ": keys are names, or 1, 2, 3 of a list"));
        fine = false;
      }
    }
    line_ = line;
    if (found != count) {
      refuse(cat("is a list with a hole: ", count - found, " of ", count, " items are nil"));
      fine = false;
    }
    std::sort(table.fields.begin(), table.fields.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    if (!fine && !top) return std::nullopt;
    return table;
  }

  // Key and value are on top of the stack. At the top, an attribute that is wrong stays as nil.
  bool read_field(Table& table, const TableLines* lines, bool top) {
    std::size_t size = 0;
    const char* bytes = lua_tolstring(state_, -2, &size);
    hold(sizeof(std::pair<std::string, Value>) + size);
    std::string name(bytes, size);
    const std::size_t before = path_.size();
    const std::string shown = printable(std::string_view(name).substr(0, kLongestShown));
    path_ += path_.empty() ? shown : cat(".", shown);
    const bool named = name.find('\0') == std::string::npos && is_utf8(name);
    if (!named) refuse("is not UTF-8 text");
    std::optional<Value> value;
    const ValueLine* place = lines == nullptr ? nullptr : lines->field(name);
    if (named) value = read(lua_gettop(state_), place);
    path_.resize(before);
    if (!value && (!top || !named)) return false;
    if (!value) value = Value{{}, place == nullptr ? 0 : place->line};
    table.fields.emplace_back(std::move(name), *std::move(value));
    return true;
  }

  bool read_item(Table& table, std::size_t at, const TableLines* lines, bool top) {
    const std::size_t before = path_.size();
    path_ += cat("[", at, "]");
    std::optional<Value> value = read(lua_gettop(state_), lines == nullptr ? nullptr : lines->item(at - 1));
    path_.resize(before);
    if (!value) return top;
    table.items[at - 1] = *std::move(value);
    return true;
  }

  // 1..count when the key is a place in the list, else 0.
  std::size_t position(std::size_t count) const {
    if (lua_isinteger(state_, -2) == 0) return 0;
    const lua_Integer key = lua_tointeger(state_, -2);
    return key >= 1 && static_cast<std::size_t>(key) <= count ? static_cast<std::size_t>(key) : 0;
  }

  std::string key_text() const {
    if (lua_isinteger(state_, -2) != 0) return cat("the number ", std::int64_t{lua_tointeger(state_, -2)});
    return described(state_, -2);
  }

  // Pays for what is about to be copied out of Lua. Too much of it ends the file: a table that stands in many
  // places may hold no end of values.
  void hold(std::size_t count, std::size_t bytes_of_one = 1) {
    Vm& vm = Vm::of(state_);
    vm.charge(kValueCost);
    if (count <= SIZE_MAX / bytes_of_one && vm.may_keep(count * bytes_of_one)) return;
    Error error = vm.over_declared().at(place());
    if (!path_.empty()) error.message += cat(", at `", path_, "`");
    raise(state_, std::move(error));
  }

  Location place() const { return {where_.file, line_ != 0 ? line_ : where_.line}; }

  std::nullopt_t refuse(std::string_view why) {
    is_whole_ = false;
    const std::string what = path_.empty() ? std::string("The table") : cat("`", path_, "`");
    Vm::of(state_).evaluation().tell(user_error(cat(what, " ", why)).at(place()));
    return std::nullopt;
  }
  std::optional<Table> refuse_table(std::string_view why) { return refuse(why), std::nullopt; }

  lua_State* state_;
  const Location& where_;
  std::vector<const void*> above_;  // the tables around the one being read
  std::string path_;                // `params.lr`, `data[2]`
  int line_ = 0;                    // the innermost that is known
  bool is_whole_ = true;
};

}  // namespace

Converted convert_table(lua_State* state, int index, const TableLines* lines, const Location& where) {
  return Converter(state, where).attributes(index, lines);
}

}  // namespace trainmake
