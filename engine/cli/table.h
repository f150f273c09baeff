// Text in columns, and how a run's values read in them. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/model/record.h"

namespace trainmake {

// Columns two blanks apart, as wide as their widest cell; no blanks at the end of a line.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

std::string moment_text(std::int64_t since_1970_ns);  // 2026-01-31 12:00:05, in UTC; "" when 0
std::string status_text(const Run& run);              // failed: exit code 3
std::string took_text(const Run& run, std::int64_t now_ns);
std::string metrics_text(const Run& run);  // loss 0.25, accuracy 0.9
std::string params_text(const Run& run);   // epochs 5, lr 0.1

}  // namespace trainmake
