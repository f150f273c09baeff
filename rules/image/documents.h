// Reads what manifests and indexes of any tool say: OCI's and docker's. Pure. What we write ourselves is in
// manifest_json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/image/registry.h"

namespace trainmake {

// A field that is text; "" for any other.
std::string text_at(const nlohmann::json& object, const char* name);
// A descriptor; nothing when it has no digest or size.
std::optional<BlobRef> blob_of(const nlohmann::json& descriptor);

bool is_index(std::string_view media_type);
// The entry for Linux on `architecture`; of several, the one of its most common variant.
std::optional<Sha256> manifest_in_index(std::string_view index, const std::string& architecture);

}  // namespace trainmake
