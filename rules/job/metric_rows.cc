#include "rules/job/metric_rows.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

// JSON as Python writes it has words for what is no number, which JSON itself has not.
std::string without_beyond(std::string_view json) {
  std::string out;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char byte = json[i];
    if (byte == '"') in_string = !in_string;
    if (in_string && byte == '\\' && i + 1 < json.size()) {
      out += json.substr(i++, 2);  // a quotation mark perhaps, which ends nothing
      continue;
    }
    std::size_t end = i;
    while (!in_string && end < json.size() &&
           (std::isalpha(static_cast<unsigned char>(json[end])) != 0 || (end == i && json[end] == '-')))
      ++end;
    if (end > i && is_beyond_numbers(json.substr(i, end - i))) {
      out += "null";
      i = end - 1;
    } else {
      out += byte;
    }
  }
  return out;
}

void add_numbers(const nlohmann::json& object, const std::string& above, MetricRows::Row& row) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object()) add_numbers(value, cat(above, name, "."), row);
    if (value.is_number()) row[above + name] = value.get<double>();
    if (value.is_null()) row[above + name] = kNoNumber;
  }
}

// Quoted as in RFC 4180, but for line ends within quotes.
std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quoted && line[i] == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  for (std::string& cell : cells) cell = std::string(trim(cell));
  return cells;
}

}  // namespace

bool is_beyond_numbers(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  std::string lower(text);
  for (char& byte : lower) byte = static_cast<char>(std::tolower(static_cast<unsigned char>(byte)));
  return lower == "nan" || lower == "inf" || lower == "infinity";
}

MetricRows::MetricRows(std::string_view path) : csv_(path.ends_with(".csv")) {}

MetricRows::Row MetricRows::row(std::string_view line) {
  Row row;
  if (trim(line).empty()) return row;
  if (!csv_) {
    auto json = parse_json<nlohmann::json>(line);
    if (json.is_discarded()) json = parse_json<nlohmann::json>(without_beyond(line));
    if (json.is_object()) add_numbers(json, "", row);
    return row;
  }
  std::vector<std::string> cells = cells_of(line);
  if (columns_.empty()) {
    columns_ = std::move(cells);
    return row;
  }
  for (std::size_t i = 0; i < std::min(cells.size(), columns_.size()); ++i) {
    if (const auto number = parse_number(cells[i])) row[columns_[i]] = *number;
    if (is_beyond_numbers(cells[i])) row[columns_[i]] = kNoNumber;
  }
  return row;
}

}  // namespace trainmake
