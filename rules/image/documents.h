// Reads what a registry has of an image beside its layers: index, manifest, config, of any tool. OCI's and
// docker's differ in names of media types alone. What we write ourselves is in manifest_json. Pure, but for
// read_document.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "rules/image/registry.h"

namespace trainmake {

inline constexpr std::uint64_t kLargestDocument = std::uint64_t{16} << 20U;  // no manifest is larger
inline constexpr const char* kRefName =
    "org.opencontainers.image.ref.name";  // an annotation in a layout's index

// A descriptor; nothing when it has no digest or size.
std::optional<BlobRef> blob_of(const nlohmann::json& descriptor);

bool is_index(std::string_view media_type);
bool is_manifest(std::string_view media_type);
bool is_config(std::string_view media_type);
bool is_layer(std::string_view media_type);

struct ImageManifest {
  BlobRef config;
  std::vector<BlobRef> layers;
};

// A manifest of an index, and for which machines it is.
struct ListedManifest {
  BlobRef manifest;
  std::string os, architecture;  // "" when it does not say
};

// What of a config is not only passed on.
struct ConfigFacts {
  std::string os, architecture;
  std::vector<Sha256> diff_ids;
};

// What of a config a command in the image is run with.
struct CommandConfig {
  std::map<std::string, std::string> environment;
  std::string user;
  std::string workdir = "/";
};

// Of what is no config, or says nothing of these, what an empty one says.
CommandConfig command_config_of(std::string_view json);

// An error says what is wrong as the rest of a sentence: "has no config".
Result<ImageManifest> parse_image_manifest(std::string_view json);
Result<std::vector<ListedManifest>> parse_image_index(std::string_view json);
Result<ConfigFacts> parse_image_config(std::string_view json);
// The entry for Linux on `architecture`; of several, the one of its most common variant.
std::optional<Sha256> manifest_in_index(std::string_view index, const std::string& architecture);
// What a document says that it is; "" when it does not.
std::string media_type_of(std::string_view json);
// The same; that of a manifest when it does not.
std::string type_of_document(std::string_view json);
// Sorted keys, no blanks.
bool is_canonical(std::string_view json);

// Whole: one of a sane size.
Result<std::string> read_document(Registry& registry, const std::string& repository, const BlobRef& blob,
                                  const std::stop_token& stop);

}  // namespace trainmake
