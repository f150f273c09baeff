// The numbers in the rows of a file of metrics, as loggers write them: JSON objects, one a line, or CSV whose
// first row names its columns. Pure; a row that is neither has no numbers.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

class MetricRows {
 public:
  using Row = std::map<std::string, double, std::less<>>;

  explicit MetricRows(std::string_view path);  // CSV when its name ends so
  // Of objects within the object, as `eval.loss`. What is no number any more (nan, inf, null) is not a
  // number.
  Row row(std::string_view line);

 private:
  bool csv_ = false;
  std::vector<std::string> columns_;
};

// Whether it is how programs print what is no number any more: nan, -inf, Infinity.
bool is_beyond_numbers(std::string_view text);

}  // namespace trainmake
