// TRAINFILE.lock: which manifest each base's tag stood for when it was asked, platform by platform. Read and
// reviewed by people, so it is one entry a line, sorted. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/hash.h"

namespace trainmake {

inline constexpr const char* kLockFile = "TRAINFILE.lock";  // in the workspace's root

struct BaseLock {
  // base as Reference::text → architecture → digest of its manifest
  std::map<std::string, std::map<std::string, Sha256>> bases;

  std::optional<Sha256> find(const std::string& base, const std::string& architecture) const;
};

Result<BaseLock> parse_lock(std::string_view text);
std::string to_text(const BaseLock& lock);

}  // namespace trainmake
