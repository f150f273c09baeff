#include "rules/job/new_limits.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/job/spec_json.h"

namespace trainmake {
namespace {

constexpr const char* kLimits[] = {"cpus", "memory", "disk", "instance", "hours"};

std::string text_of(const Value* value) {
  return value == nullptr || value->table() != nullptr ? "" : scalar_text(*value);
}

std::string duration_of(std::int64_t seconds) { return seconds == 0 ? "" : human_duration(seconds * 1000); }

void compare(std::string_view name, const std::string& then, const std::string& now,
             std::vector<std::string>& told) {
  if (then == now) return;
  told.push_back(now.empty() ? cat(name, " is not limited now, was ", printable(then))
                             : cat(name, " is ", printable(now), " now, was ",
                                   then.empty() ? "not limited" : printable(then)));
}

}  // namespace

std::vector<std::string> new_limits(const Target& job, const Run& run) {
  const auto provenance = parse_json<nlohmann::ordered_json>(run.provenance_json);
  const std::optional<JobSpec> given =
      provenance.is_object() && provenance.contains("spec") ? parse_spec(provenance["spec"]) : std::nullopt;
  if (!given) return {};
  std::vector<std::string> told;
  const Value* said = job.find("resources");
  const Table now = said != nullptr && said->table() != nullptr ? *said->table() : Table();
  for (const char* limit : kLimits)
    compare(limit, text_of(given->resources.find(limit)), text_of(now.find(limit)), told);
  const Value* timeout = job.find("timeout");
  compare("timeout", duration_of(given->timeout_s),
          duration_of(timeout == nullptr ? 0 : seconds_of(*timeout).value_or(0)), told);
  return told;
}

}  // namespace trainmake
