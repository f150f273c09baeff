#include "engine/cli/curve_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kRows = 8;
constexpr std::size_t kLeastColumns = 10, kMostColumns = 100;

std::string short_number(double number) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.4g", number);
  return text;
}

// Those that are numbers, by their steps; a job that began anew counts again, and is drawn as it was told.
Curve drawable(const Curve& curve) {
  Curve points;
  for (const CurvePoint& point : curve) {
    if (std::isfinite(point.value) && std::isfinite(point.step)) points.push_back(point);
  }
  const auto in_order = [](const CurvePoint& a, const CurvePoint& b) { return a.step < b.step; };
  const bool counts_again =
      std::adjacent_find(points.begin(), points.end(),
                         [&](const auto& a, const auto& b) { return !in_order(a, b); }) != points.end();
  for (std::size_t i = 0; counts_again && i < points.size(); ++i) points[i].step = static_cast<double>(i + 1);
  return points;
}

struct Band {  // of values, in one column
  double low, high;
};

// REQUIRES: two points or more, in order.
std::vector<Band> bands_of(const Curve& points, std::size_t columns) {
  const double first = points.front().step, span = points.back().step - first;
  const auto column_of = [&](double step) {
    return static_cast<std::size_t>(std::lround((step - first) / span * static_cast<double>(columns - 1)));
  };
  std::vector<std::optional<Band>> bands(columns);
  const auto add = [&](std::size_t column, double value) {
    std::optional<Band>& band = bands[column];
    band = band ? Band{std::min(band->low, value), std::max(band->high, value)} : Band{value, value};
  };
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::size_t column = column_of(points[i].step);
    add(column, points[i].value);
    if (i + 1 == points.size()) break;
    const std::size_t next = column_of(points[i + 1].step);
    for (std::size_t between = column + 1; between < next; ++between) {
      const double part = static_cast<double>(between - column) / static_cast<double>(next - column);
      add(between, points[i].value + part * (points[i + 1].value - points[i].value));
    }
  }
  std::vector<Band> all;
  for (const std::optional<Band>& band : bands) all.push_back(*band);
  return all;
}

}  // namespace

std::string curve_text(const Curve& curve, std::size_t width) {
  const Curve points = drawable(curve);
  if (points.size() < 2) return "";
  const auto by_value = [](const CurvePoint& a, const CurvePoint& b) { return a.value < b.value; };
  const auto [least, greatest] = std::minmax_element(points.begin(), points.end(), by_value);
  const double low = least->value, range = greatest->value - low;
  const std::string top = short_number(greatest->value), bottom = short_number(low);
  const std::size_t margin = std::max(top.size(), bottom.size());
  const std::size_t beside = margin + 2;
  const std::size_t columns = std::clamp(width > beside ? width - beside : 0, kLeastColumns, kMostColumns);
  const std::size_t rows = range > 0 ? kRows : 1;
  std::vector<std::string> canvas(rows, std::string(columns, ' '));
  const auto row_of = [&](double value) {
    return range > 0
               ? static_cast<std::size_t>(std::lround((value - low) / range * static_cast<double>(rows - 1)))
               : 0;
  };
  const std::vector<Band> bands = bands_of(points, columns);
  for (std::size_t column = 0; column < columns; ++column) {
    for (std::size_t row = row_of(bands[column].low); row <= row_of(bands[column].high); ++row)
      canvas[rows - 1 - row][column] = '*';
  }
  std::string text;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::string beside_it = row == 0 ? top : row + 1 == rows ? bottom : std::string();
    const std::string& line = canvas[row];
    text += cat(std::string(margin - beside_it.size(), ' '), beside_it, " |",
                line.substr(0, line.find_last_not_of(' ') + 1), "\n");
  }
  const std::string from = short_number(points.front().step), to = short_number(points.back().step);
  const std::size_t used = from.size() + to.size();
  return cat(text, std::string(beside, ' '), from, std::string(columns > used ? columns - used : 1, ' '), to,
             "\n");
}

}  // namespace trainmake
