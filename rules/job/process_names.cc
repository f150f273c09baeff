#include "rules/job/process_names.h"

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kProcess = "process `";
constexpr std::string_view kOurs = "[trainmake] ";

}  // namespace

std::string prefix_of(std::string_view process) { return cat("[", process, "] "); }

std::string reason_of(std::string_view process, std::string_view how) {
  return process.empty() ? std::string(how) : cat("process ", quoted(process), ": ", how);
}

std::string process_named_by(std::string_view reason) {
  if (!reason.starts_with(kProcess)) return "";
  const std::string_view rest = reason.substr(kProcess.size());
  const std::size_t end = rest.find("`: ");
  return end == rest.npos ? "" : std::string(rest.substr(0, end));
}

bool is_of_process(std::string_view line) {
  return line.starts_with('[') && !is_of_trainmake(line) && line.find("] ") != line.npos;
}

bool is_of_trainmake(std::string_view line) { return line.starts_with(kOurs); }

}  // namespace trainmake
