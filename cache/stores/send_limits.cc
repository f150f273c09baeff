#include "cache/stores/send_limits.h"

#include <string>
#include <string_view>

#include "engine/base/byte_count.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

std::optional<std::int64_t> whole(const Service& service, std::string_view name) {
  const Value* value = service.attributes.find(name);
  const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(&value->data);
  return number == nullptr ? std::nullopt : std::optional(*number);
}

// In a second: as a size, or `100 MiB/s`.
std::optional<std::uint64_t> parse_rate(std::string_view text) {
  if (text.ends_with("/s")) text.remove_suffix(2);
  return parse_byte_count(trim(text));
}

Failure wrong(const Service& service, const std::string& message, std::string hint) {
  const std::string whose = service.name.empty() ? quoted(service.kind) : cat("Store ", quoted(service.name));
  return fail(user_error(cat(whose, message), std::move(hint)).at(service.where));
}

}  // namespace

Result<SendLimits> read_send_limits(const Service& service, SendLimits usual) {
  SendLimits limits = usual;
  constexpr std::int64_t kMostRequests = 256;
  if (const std::optional<std::int64_t> requests = whole(service, "requests")) {
    if (*requests < 1 || *requests > kMostRequests)
      return wrong(service, cat(" cannot have ", *requests, " requests at once"),
                   cat("Write 1 to ", kMostRequests));
    limits.requests = static_cast<unsigned>(*requests);
  }
  if (const std::string* rate = service.text("bandwidth")) {
    const std::optional<std::uint64_t> bytes = parse_rate(*rate);
    if (!bytes)
      return wrong(service, cat(" has a `bandwidth` that is none: ", quoted(*rate)),
                   "Write what may be sent in a second, as `50MB`");
    limits.bandwidth = *bytes;
  }
  return limits;
}

}  // namespace trainmake
