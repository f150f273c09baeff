// Numbers that a job's log tells: name → Lua pattern over each line; the last match counts, with all of the
// number that it begins. Knows one line at a time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/lua_pattern.h"
#include "engine/model/value.h"

namespace trainmake {

class Metrics {
 public:
  // `declared` is the attribute `metrics`, or nullptr.
  static Metrics of(const Value* declared);
  static Metrics of(const std::map<std::string, std::string>& patterns);  // what is none is left out
  static std::vector<Error> wrong(const Value& declared);                 // patterns that are none
  // What a person should know of a pattern that met the line; empty almost always.
  std::string line(std::string_view text);
  const std::map<std::string, double>& values() const { return values_; }
  std::vector<std::string> silent() const;  // those that no line told a number of

 private:
  struct Metric {
    std::string name;
    LuaPattern pattern;
    int given_up = 0;  // lines that it took too long for
  };
  struct Reading {
    std::optional<double> value;
    bool gave_up = false;
  };
  static Reading read(const LuaPattern& pattern, std::string_view text);

  std::vector<Metric> metrics_;
  std::map<std::string, double> values_;
};

}  // namespace trainmake
