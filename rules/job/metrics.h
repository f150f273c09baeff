// Numbers that a job tells, the last of each and how they went: by a Lua pattern over each line of its log,
// of which the last match counts, with all of the number that it begins; or in a file that it writes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/lua_pattern.h"
#include "engine/model/curve.h"
#include "engine/model/value.h"

namespace trainmake {

class LeftFiles;  // rules/job/left_files.h

struct MetricSource {
  std::string pattern;      // "": it is in a file
  std::string file;         // JSON lines or CSV, by its path in the output folder
  std::string field, step;  // of its rows: the metric's number, and what it is counted by
};
using MetricSources = std::map<std::string, MetricSource>;  // by metric
// `declared` is the attribute `metrics`, or nullptr.
MetricSources metric_sources(const Value* declared);

class Metrics {
 public:
  static Metrics of(const Value* declared) { return of(metric_sources(declared)); }
  static Metrics of(const MetricSources& sources);         // a pattern that is none is left out
  static std::vector<Error> wrong(const Value& declared);  // what tells no number
  // What a person should know of a pattern that met the line; empty almost always.
  std::string line(std::string_view text);
  bool reads_log() const { return !metrics_.empty(); }
  std::vector<std::string> files() const;  // of the job's output, which tell numbers
  // Once, of the job's output folder, which may have any of the files by now.
  void read_files(const LeftFiles& left);

  std::map<std::string, double> values() const;
  Curves curves() const;
  // "`loss` found no number in the log", of those that nothing told a number of.
  std::vector<std::string> silent() const;

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
  struct Told {
    double last = 0;
    ThinnedCurve curve;
  };
  static Reading read(const LuaPattern& pattern, std::string_view text);
  void tell(const std::string& name, double value, std::optional<double> step = {});
  void read_file(const LeftFiles& left, const std::string& file);

  std::vector<Metric> metrics_;
  std::map<std::string, MetricSources> files_;  // by path
  std::map<std::string, Told> told_;
};

}  // namespace trainmake
