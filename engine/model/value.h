// What a Lua value becomes: plain data with the line it was written on. Nothing in it points into Lua.
// A table is its list part and its named part (sorted by name), so equal tables are equal values whatever
// their order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/hash.h"

namespace trainmake {

struct Value;

// `glob { "a/**", exclude = {...}, allow_empty = true }`: patterns that the engine expands, never Lua.
struct Glob {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  bool allow_empty = false;
  friend bool operator==(const Glob&, const Glob&) = default;
};

// `data_dir "x"`: a path that the platform's contract completes.
enum class Place : std::uint8_t { kCode, kData, kOutput, kCheckpoint, kLog };
struct PlacedPath {
  Place place = Place::kData;
  std::string rest;
  friend bool operator==(const PlacedPath&, const PlacedPath&) = default;
};
std::string_view name_of(Place place);  // code_dir, data_dir, ...

using Fields = std::vector<std::pair<std::string, Value>>;

// Its members are defined below, where Value is complete: clang looks into the vectors to copy or destroy
// one.
struct Table {
  std::vector<Value> items;
  Fields fields;  // sorted by name, names unique

  Table();
  Table(std::vector<Value> in_order, Fields named);
  Table(const Table&);
  Table(Table&&) noexcept;
  Table& operator=(const Table&);
  Table& operator=(Table&&) noexcept;
  ~Table();

  const Value* find(std::string_view name) const;
  bool empty() const;
  friend bool operator==(const Table&, const Table&);
};

struct Value {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Table, Glob, PlacedPath> data;
  int line = 0;  // in the declaration's file; 0 when not known; no part of equality

  bool is_nil() const { return data.index() == 0; }
  const bool* boolean() const { return std::get_if<bool>(&data); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data); }
  const double* real() const { return std::get_if<double>(&data); }
  const std::string* string() const { return std::get_if<std::string>(&data); }
  const Table* table() const { return std::get_if<Table>(&data); }
  const Glob* glob() const { return std::get_if<Glob>(&data); }
  const PlacedPath* placed() const { return std::get_if<PlacedPath>(&data); }
  bool is_number() const { return integer() != nullptr || real() != nullptr; }
  bool is_scalar() const { return boolean() != nullptr || is_number() || string() != nullptr; }

  friend bool operator==(const Value& a, const Value& b) { return a.data == b.data; }
};

inline Table::Table() = default;
inline Table::Table(std::vector<Value> in_order, std::vector<std::pair<std::string, Value>> named)
    : items(std::move(in_order)), fields(std::move(named)) {}
inline Table::Table(const Table&) = default;
inline Table::Table(Table&&) noexcept = default;
inline Table& Table::operator=(const Table&) = default;
inline Table& Table::operator=(Table&&) noexcept = default;
inline Table::~Table() = default;
inline bool Table::empty() const { return items.empty() && fields.empty(); }

std::string type_name(const Value& value);    // "a string", "a number", "a table", "nothing", "a glob"
std::string scalar_text(const Value& value);  // REQUIRES: is_scalar()
Digest128 digest_of(const Value& value);      // of everything but lines
std::string json_text(const Value& value);    // as `query --json` prints attributes

// A compact form for state on disk; decode refuses what encode did not write.
void encode(const Value& value, std::string& out);
bool decode(std::string_view& bytes, Value& value);

}  // namespace trainmake
