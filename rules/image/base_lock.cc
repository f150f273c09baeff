#include "rules/image/base_lock.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

Error unreadable(std::string_view why) {
  return user_error(cat(kLockFile, " cannot be read: ", why),
                    "Take it from git as it was, or remove it: the next run writes it anew")
      .at({kLockFile, 0});
}

}  // namespace

std::optional<Sha256> BaseLock::find(const std::string& base, const std::string& architecture) const {
  const auto entry = bases.find(base);
  if (entry == bases.end()) return std::nullopt;
  const auto digest = entry->second.find(architecture);
  return digest == entry->second.end() ? std::nullopt : std::optional(digest->second);
}

Result<BaseLock> parse_lock(std::string_view text) {
  const Json json = parse_json<Json>(text);
  if (!json.is_object() || !json.contains("version") || !json.contains("bases") || !json["bases"].is_object())
    return fail(unreadable("it is no JSON of that kind"));
  if (json["version"] != kVersion) return fail(unreadable("it is of a newer trainmake"));
  BaseLock lock;
  for (const auto& [base, digests] : json["bases"].items()) {
    if (!digests.is_object()) return fail(unreadable(cat("of ", quoted(base), " it has no digests")));
    for (const auto& [architecture, digest] : digests.items()) {
      const std::string value = digest.is_string() ? digest.get<std::string>() : "";
      const std::optional<Sha256> parsed = parse_digest(value);
      if (!parsed) return fail(unreadable(cat("of ", quoted(base), " it has the digest ", quoted(value))));
      lock.bases[base][architecture] = *parsed;
    }
  }
  return lock;
}

std::string to_text(const BaseLock& lock) {
  Json bases = Json::object();
  for (const auto& [base, digests] : lock.bases) {
    for (const auto& [architecture, digest] : digests) bases[base][architecture] = digest_text(digest);
  }
  return Json{{"version", kVersion}, {"bases", bases}}.dump(2) + "\n";
}

}  // namespace trainmake
