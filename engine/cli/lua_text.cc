#include "engine/cli/lua_text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "engine/base/text.h"

namespace trainmake {
namespace {

std::string quoted_lua(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\%03d", byte);
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

bool is_word(std::string_view name) {
  constexpr std::string_view kReserved[] = {
      "and", "break", "do",  "else", "elseif", "end",    "false",  "for",  "function", "goto",  "if",
      "in",  "local", "nil", "not",  "or",     "repeat", "return", "then", "true",     "until", "while"};
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_inside = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && is_letter(name.front()) && std::all_of(name.begin(), name.end(), is_inside) &&
         std::find(std::begin(kReserved), std::end(kReserved), name) == std::end(kReserved);
}

std::string key_text(const std::string& name) {
  return is_word(name) ? name : cat("[", quoted_lua(name), "]");
}

std::string braced(const std::vector<std::string>& parts) {
  return parts.empty() ? "{}" : cat("{ ", join(parts, ", "), " }");
}

std::string table_text(const Table& table) {
  std::vector<std::string> parts;
  for (const Value& item : table.items) parts.push_back(lua_text(item));
  for (const auto& [name, value] : table.fields) parts.push_back(cat(key_text(name), " = ", lua_text(value)));
  return braced(parts);
}

std::string list_text(const std::vector<std::string>& strings) {
  std::vector<std::string> parts;
  for (const std::string& string : strings) parts.push_back(quoted_lua(string));
  return braced(parts);
}

std::string glob_text(const Glob& glob) {
  if (glob.include.size() == 1 && glob.exclude.empty() && !glob.allow_empty)
    return cat("glob ", quoted_lua(glob.include.front()));
  std::vector<std::string> parts;
  for (const std::string& pattern : glob.include) parts.push_back(quoted_lua(pattern));
  if (!glob.exclude.empty()) parts.push_back(cat("exclude = ", list_text(glob.exclude)));
  if (glob.allow_empty) parts.emplace_back("allow_empty = true");
  return cat("glob ", braced(parts));
}

}  // namespace

std::string lua_text(const Value& value) {
  if (const std::string* string = value.string()) return quoted_lua(*string);
  if (value.is_scalar()) return scalar_text(value);
  if (const Table* table = value.table()) return table_text(*table);
  if (const Glob* glob = value.glob()) return glob_text(*glob);
  if (const PlacedPath* path = value.placed()) return cat(name_of(path->place), " ", quoted_lua(path->rest));
  return "nil";
}

std::string lua_text(const Declaration& declaration) {
  std::string text = cat("-- ", printable(declaration.where.text()), "\n", declaration.kind, " ",
                         quoted_lua(declaration.name), " {\n");
  for (const Value& item : declaration.attributes.items) text += cat("  ", lua_text(item), ",\n");
  for (const auto& [name, value] : declaration.attributes.fields)
    text += cat("  ", key_text(name), " = ", lua_text(value), ",\n");
  return text + "}\n";
}

}  // namespace trainmake
