#include "engine/model/record.h"

#include <algorithm>

namespace trainmake {
namespace {

constexpr std::string_view kStatuses[] = {"queued",    "running", "succeeded", "failed",
                                          "cancelled", "lost",    "unknown"};

}  // namespace

std::string_view name_of(RunStatus status) { return kStatuses[static_cast<std::size_t>(status)]; }

std::optional<RunStatus> parse_status(std::string_view name) {
  const auto found = std::find(std::begin(kStatuses), std::end(kStatuses), name);
  if (found == std::end(kStatuses)) return std::nullopt;
  return static_cast<RunStatus>(found - std::begin(kStatuses));
}

std::string run_id_of(const Label& label, const Fingerprint& fingerprint, int attempt) {
  Hasher hasher;
  hasher.field("run")
      .field(label.text())
      .number(fingerprint.high)
      .number(fingerprint.low)
      .number(static_cast<std::uint64_t>(attempt));
  return hasher.finish().hex().substr(0, 12);
}

}  // namespace trainmake
