// How a metric went while its job ran: points in the order in which they were told, thinned out evenly so
// that a run of a week takes no more room than one of an hour. Knows no job and no log.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

struct CurvePoint {
  double step = 0;   // as the job counts, or else which of the metric's numbers it is, from 1
  double value = 0;  // not a number stays so
};
using Curve = std::vector<CurvePoint>;
using Curves = std::map<std::string, Curve>;  // by metric

class ThinnedCurve {
 public:
  static constexpr std::size_t kMostPoints = 512;

  void add(CurvePoint point);
  std::uint64_t seen() const { return seen_; }
  // The first and the last point always, and every so-manieth between them.
  Curve points() const;

 private:
  Curve kept_;
  CurvePoint last_;
  std::uint64_t seen_ = 0;
  std::uint64_t stride_ = 1;  // of those seen, one in so many is kept
};

// [[step, value or null], ...]
std::string to_json(const Curve& curve);
std::optional<Curve> curve_from_json(std::string_view json);

}  // namespace trainmake
