#include "engine/cli/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/report.h"

namespace trainmake {
namespace {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += cat(row[i], std::string(widths[i] - width_of(row[i]) + 2, ' '));
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string moment_text(std::int64_t since_1970_ns) {
  if (since_1970_ns == 0) return "";
  std::string text = time_text(since_1970_ns).substr(0, 19);
  text[10] = ' ';
  return text;
}

std::string status_text(const Run& run) {
  const std::string_view status = name_of(run.status);
  return run.reason.empty() || run.reason == status ? std::string(status)
                                                    : cat(status, ": ", printable(run.reason));
}

std::string took_text(const Run& run, std::int64_t now_ns) {
  if (run.started_ns == 0) return "";
  const std::int64_t end = is_over(run.status) ? run.ended_ns : now_ns;
  return end == 0 ? "" : human_duration(std::max<std::int64_t>(0, end - run.started_ns) / 1'000'000);
}

std::string metrics_text(const Run& run) {
  std::string text;
  for (const auto& [name, value] : run.metrics)
    text += cat(text.empty() ? "" : ", ", printable(name), " ", number_text(value));
  return text;
}

std::string params_text(const Run& run) {
  const auto params = parse_json<nlohmann::ordered_json>(run.params_json);
  std::string text;
  if (!params.is_object()) return text;
  for (const auto& [name, value] : params.items()) {
    const std::string shown =
        value.is_string() ? value.get<std::string>()
                          : value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    text += cat(text.empty() ? "" : ", ", printable(name), " ", printable(shown));
  }
  return text;
}

}  // namespace trainmake
