#include "rules/image/documents.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "rules/image/reference.h"

namespace trainmake {

using Json = nlohmann::json;

std::string text_at(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string()
             ? object[name].get<std::string>()
             : std::string();
}

std::optional<BlobRef> blob_of(const Json& descriptor) {
  const std::optional<Sha256> digest = parse_digest(text_at(descriptor, "digest"));
  if (!digest || !descriptor.contains("size") || !descriptor["size"].is_number_unsigned())
    return std::nullopt;
  return BlobRef{text_at(descriptor, "mediaType"), *digest, descriptor["size"].get<std::uint64_t>()};
}

bool is_index(std::string_view media_type) {
  return media_type == "application/vnd.oci.image.index.v1+json" ||
         media_type == "application/vnd.docker.distribution.manifest.list.v2+json";
}

std::optional<Sha256> manifest_in_index(std::string_view index, const std::string& architecture) {
  const Json document = parse_json<Json>(index);
  std::optional<Sha256> found;
  const bool lists =
      document.is_object() && document.contains("manifests") && document["manifests"].is_array();
  for (const Json& entry : lists ? document["manifests"] : Json::array()) {
    const Json platform = entry.is_object() && entry.contains("platform") ? entry["platform"] : Json();
    if (text_at(platform, "os") != "linux" || text_at(platform, "architecture") != architecture) continue;
    const std::string variant = text_at(platform, "variant");
    const bool common = variant.empty() || (architecture == "arm64" && variant == "v8");
    if (!found || common) found = parse_digest(text_at(entry, "digest"));
    if (common) break;
  }
  return found;
}

}  // namespace trainmake
