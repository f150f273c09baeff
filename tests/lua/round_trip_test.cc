// Values written as Lua and read back are the same values, whatever they are.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/base/text.h"
#include "tests/lua/scratch.h"

namespace trainmake {
namespace {

class Writer {
 public:
  explicit Writer(std::uint32_t seed) : random_(seed) {}

  Table random_table(int depth) {
    Table table;
    for (int i = pick(4); i > 0; --i) table.items.push_back(random_value(depth));
    std::map<std::string, Value> fields;
    for (int i = pick(4); i > 0; --i) fields[random_text()] = random_value(depth);
    table.fields.assign(fields.begin(), fields.end());
    return table;
  }

  // The fields in any order, before, between or behind the items.
  std::string lua(const Table& table) {
    std::vector<std::string> parts;
    for (const Value& item : table.items) parts.push_back(lua(item));
    for (const auto& [name, value] : table.fields) {
      parts.insert(parts.begin() + pick(static_cast<int>(parts.size()) + 1),
                   cat("[", quote(name), "] = ", lua(value)));
    }
    return cat("{ ", join(parts, pick(2) == 0 ? ", " : ";\n"), " }");
  }

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<std::uint32_t>(below)); }

  std::string random_text() {
    static const std::vector<std::string> kPieces = {"a", "b",    "name", " ",  "\"", "\\", "\n",
                                                     "ä", "日本", "]]",   "--", "=",  "1"};
    std::string text;
    for (int i = pick(5); i > 0; --i)
      text += kPieces[static_cast<std::size_t>(pick(static_cast<int>(kPieces.size())))];
    return text;
  }

  Value random_value(int depth) {
    Value value;
    switch (pick(depth > 0 ? 8 : 6)) {
      case 0:
        value.data = pick(2) == 0;
        break;
      case 1:
        value.data = static_cast<std::int64_t>((std::uint64_t{random_()} << 32U) | random_());
        break;
      case 2:
        value.data = std::ldexp(static_cast<double>(random_()), pick(200) - 100);
        break;
      case 3:
        value.data = Glob{{cat("g/", pick(9))}, {}, pick(2) == 0};
        break;
      case 4:
        value.data = PlacedPath{static_cast<Place>(pick(5)), cat("p/", pick(9))};
        break;
      case 5:
        value.data = random_text();
        break;
      default:
        value.data = random_table(depth - 1);
        break;
    }
    return value;
  }

  static std::string quote(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text)
      quoted += cat("\\x", hex_of(std::vector<std::uint8_t>{static_cast<std::uint8_t>(c)}));
    return quoted + "\"";
  }

  std::string lua(const Value& value) {
    if (const bool* boolean = value.boolean()) return *boolean ? "true" : "false";
    if (const std::int64_t* integer = value.integer()) return cat("math.tointeger(0x", hex(*integer), ")");
    if (const double* real = value.real()) return hex_float(*real);
    if (const std::string* text = value.string()) return quote(*text);
    if (const Glob* glob = value.glob())
      return cat("glob { ", quote(glob->include[0]), ", allow_empty = ", glob->allow_empty ? "true" : "false",
                 " }");
    if (const PlacedPath* placed = value.placed())
      return cat(name_of(placed->place), "(", quote(placed->rest), ")");
    return lua(*value.table());
  }

  static std::string hex(std::int64_t number) {
    char buffer[32];
    return {buffer,
            std::to_chars(buffer, buffer + sizeof buffer, static_cast<std::uint64_t>(number), 16).ptr};
  }
  static std::string hex_float(double number) {
    char buffer[64];
    return cat("(0x",
               std::string(buffer,
                           std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::hex).ptr),
               ")");
  }

  std::mt19937 random_;
};

TEST(RoundTrip, RandomTablesComeBackEqual) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    Writer writer(seed);
    const Table table = writer.random_table(4);
    const std::string text = cat("job \"x\" ", writer.lua(table), "\n");
    const Project project = load_text(text);
    ASSERT_TRUE(no_errors(project.errors)) << text;
    ASSERT_EQ(project.declarations.at(0).attributes, table) << "seed " << seed << "\n" << text;
  }
}

}  // namespace
}  // namespace trainmake
