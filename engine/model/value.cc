#include "engine/model/value.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/codec.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

enum class Tag : std::uint8_t { kNil, kBoolean, kInteger, kReal, kString, kTable, kGlob, kPlaced };

Tag tag_of(const Value& value) { return static_cast<Tag>(value.data.index()); }

void hash_into(const Value& value, Hasher& hasher);

void hash_strings(const std::vector<std::string>& strings, Hasher& hasher) {
  hasher.number(strings.size());
  for (const std::string& string : strings) hasher.field(string);
}

void hash_into(const Table& table, Hasher& hasher) {
  hasher.number(table.items.size()).number(table.fields.size());
  for (const Value& item : table.items) hash_into(item, hasher);
  for (const auto& [name, value] : table.fields) {
    hasher.field(name);
    hash_into(value, hasher);
  }
}

// 1.0 and 1 mean the same; a job that is given one of them sees which (rules/job/parameters.h).
std::optional<std::int64_t> whole(const Value& value) {
  if (const std::int64_t* integer = value.integer()) return *integer;
  const double* real = value.real();
  if (real == nullptr || *real != std::trunc(*real) || std::abs(*real) > 1e15) return std::nullopt;
  return static_cast<std::int64_t>(*real);
}

void hash_into(const Value& value, Hasher& hasher) {
  if (const std::optional<std::int64_t> integer = whole(value)) {
    hasher.number(static_cast<std::uint64_t>(Tag::kInteger)).number(static_cast<std::uint64_t>(*integer));
    return;
  }
  hasher.number(static_cast<std::uint64_t>(tag_of(value)));
  if (const bool* boolean = value.boolean()) hasher.number(*boolean ? 1 : 0);
  if (const double* real = value.real()) hasher.field(number_text(*real));
  if (const std::string* string = value.string()) hasher.field(*string);
  if (const Table* table = value.table()) hash_into(*table, hasher);
  if (const Glob* glob = value.glob()) {
    hash_strings(glob->include, hasher);
    hash_strings(glob->exclude, hasher);
    hasher.number(glob->allow_empty ? 1 : 0);
  }
  if (const PlacedPath* path = value.placed())
    hasher.number(static_cast<std::uint64_t>(path->place)).field(path->rest);
}

nlohmann::ordered_json to_json(const Value& value);

nlohmann::ordered_json to_json(const Table& table) {
  using Json = nlohmann::ordered_json;
  if (table.fields.empty()) {
    Json list = Json::array();
    for (const Value& item : table.items) list.push_back(to_json(item));
    return list;
  }
  Json object = Json::object();
  for (std::size_t i = 0; i < table.items.size(); ++i) object[cat(i + 1)] = to_json(table.items[i]);
  for (const auto& [name, value] : table.fields) object[printable(name)] = to_json(value);
  return object;
}

nlohmann::ordered_json to_json(const Value& value) {
  using Json = nlohmann::ordered_json;
  if (const bool* boolean = value.boolean()) return *boolean;
  if (const std::int64_t* integer = value.integer()) return *integer;
  if (const double* real = value.real()) return *real;
  if (const std::string* string = value.string()) return is_utf8(*string) ? *string : printable(*string);
  if (const Table* table = value.table()) return to_json(*table);
  if (const Glob* glob = value.glob()) {
    Json object = {{"glob", glob->include}};
    if (!glob->exclude.empty()) object["exclude"] = glob->exclude;
    if (glob->allow_empty) object["allow_empty"] = true;
    return object;
  }
  if (const PlacedPath* path = value.placed()) return Json{{std::string(name_of(path->place)), path->rest}};
  return nullptr;
}

constexpr int kDeepest = 200;  // foreign bytes must not exhaust the stack

Value decode_value(Decoder& decoder, int depth);

Table decode_table(Decoder& decoder, int depth) {
  Table table;
  table.items.resize(decoder.count(9));
  for (Value& item : table.items) item = decode_value(decoder, depth);
  table.fields.resize(decoder.count(17));
  for (auto& [name, value] : table.fields) {
    name = decoder.string();
    value = decode_value(decoder, depth);
  }
  return table;
}

Value decode_value(Decoder& decoder, int depth) {
  Value value;
  if (depth > kDeepest) {
    decoder.take(decoder.left() + 1);  // fails it
    return value;
  }
  const auto tag = static_cast<Tag>(decoder.byte());
  value.line = static_cast<int>(static_cast<std::uint32_t>(decoder.number()));
  switch (tag) {
    case Tag::kNil:
      break;
    case Tag::kBoolean:
      value.data = decoder.byte() != 0;
      break;
    case Tag::kInteger:
      value.data = static_cast<std::int64_t>(decoder.number());
      break;
    case Tag::kReal:
      value.data = decoder.real();
      break;
    case Tag::kString:
      value.data = std::string(decoder.string());
      break;
    case Tag::kTable:
      value.data = decode_table(decoder, depth + 1);
      break;
    case Tag::kGlob: {
      Glob glob;
      glob.include = decoder.strings();
      glob.exclude = decoder.strings();
      glob.allow_empty = decoder.byte() != 0;
      value.data = std::move(glob);
      break;
    }
    case Tag::kPlaced: {
      const std::uint8_t place = decoder.byte();
      if (place > static_cast<std::uint8_t>(Place::kLog)) decoder.take(decoder.left() + 1);
      value.data = PlacedPath{static_cast<Place>(place), std::string(decoder.string())};
      break;
    }
    default:
      decoder.take(decoder.left() + 1);
  }
  return value;
}

}  // namespace

bool operator==(const Table& a, const Table& b) { return a.items == b.items && a.fields == b.fields; }

std::string_view name_of(Place place) {
  constexpr std::string_view kNames[] = {"code_dir", "data_dir", "output_dir", "checkpoint_dir", "log_dir"};
  return kNames[static_cast<std::size_t>(place)];
}

const Value* Table::find(std::string_view name) const {
  const auto found =
      std::lower_bound(fields.begin(), fields.end(), name,
                       [](const auto& field, std::string_view wanted) { return field.first < wanted; });
  return found != fields.end() && found->first == name ? &found->second : nullptr;
}

std::string type_name(const Value& value) {
  switch (tag_of(value)) {
    case Tag::kNil:
      return "nothing";
    case Tag::kBoolean:
      return "a boolean";
    case Tag::kInteger:
    case Tag::kReal:
      return "a number";
    case Tag::kString:
      return "a string";
    case Tag::kTable:
      return "a table";
    case Tag::kGlob:
      return "a glob";
    case Tag::kPlaced:
      return cat("a ", name_of(value.placed()->place));
  }
  return "something else";
}

std::string scalar_text(const Value& value) {
  if (const bool* boolean = value.boolean()) return *boolean ? "true" : "false";
  if (const std::int64_t* integer = value.integer()) return cat(*integer);
  if (const double* real = value.real()) return number_text(*real);
  CHECK(value.string() != nullptr);
  return *value.string();
}

Digest128 digest_of(const Value& value) {
  Hasher hasher;
  hash_into(value, hasher);
  return hasher.finish();
}

std::string json_text(const Value& value) { return to_json(value).dump(); }

void encode(const Value& value, std::string& out) {
  Encoder encoder(out);
  encoder.byte(static_cast<std::uint8_t>(tag_of(value)));
  encoder.number(static_cast<std::uint32_t>(value.line));
  if (const bool* boolean = value.boolean()) encoder.byte(*boolean ? 1 : 0);
  if (const std::int64_t* integer = value.integer()) encoder.number(static_cast<std::uint64_t>(*integer));
  if (const double* real = value.real()) encoder.real(*real);
  if (const std::string* string = value.string()) encoder.string(*string);
  if (const Table* table = value.table()) {
    encoder.number(table->items.size());
    for (const Value& item : table->items) encode(item, out);
    encoder.number(table->fields.size());
    for (const auto& [name, field] : table->fields) {
      encoder.string(name);
      encode(field, out);
    }
  }
  if (const Glob* glob = value.glob()) {
    encoder.strings(glob->include);
    encoder.strings(glob->exclude);
    encoder.byte(glob->allow_empty ? 1 : 0);
  }
  if (const PlacedPath* path = value.placed()) {
    encoder.byte(static_cast<std::uint8_t>(path->place));
    encoder.string(path->rest);
  }
}

bool decode(std::string_view& bytes, Value& value) {
  Decoder decoder(bytes);
  value = decode_value(decoder, 0);
  if (!decoder.ok()) return false;
  bytes = decoder.rest();
  return true;
}

}  // namespace trainmake
