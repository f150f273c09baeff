#include "engine/model/curve.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"

namespace trainmake {

void ThinnedCurve::add(CurvePoint point) {
  if (seen_ % stride_ == 0 && kept_.size() == kMostPoints) {
    for (std::size_t i = 0; 2 * i < kept_.size(); ++i) kept_[i] = kept_[2 * i];
    kept_.resize(kMostPoints / 2);
    stride_ *= 2;
  }
  if (seen_ % stride_ == 0) kept_.push_back(point);
  last_ = point;
  ++seen_;
}

Curve ThinnedCurve::points() const {
  Curve curve = kept_;
  if (seen_ != 0 && (seen_ - 1) % stride_ != 0) curve.push_back(last_);
  return curve;
}

std::string to_json(const Curve& curve) {
  nlohmann::json points = nlohmann::json::array();
  for (const CurvePoint& point : curve) points.push_back({point.step, point.value});  // no number is null
  return points.dump();
}

std::optional<Curve> curve_from_json(std::string_view json) {
  const auto points = parse_json<nlohmann::json>(json);
  if (!points.is_array()) return std::nullopt;
  Curve curve;
  for (const nlohmann::json& point : points) {
    if (!point.is_array() || point.size() != 2 || !point[0].is_number()) return std::nullopt;
    const bool is_number = point[1].is_number();
    if (!is_number && !point[1].is_null()) return std::nullopt;
    curve.push_back({point[0].get<double>(),
                     is_number ? point[1].get<double>() : std::numeric_limits<double>::quiet_NaN()});
  }
  return curve;
}

}  // namespace trainmake
