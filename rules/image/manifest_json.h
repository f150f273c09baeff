// The OCI documents of an image, as canonical JSON: sorted keys, no blanks, no times. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rules/image/layer.h"

namespace trainmake {

inline constexpr const char* kConfigType = "application/vnd.oci.image.config.v1+json";
inline constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";

struct ImageConfig {
  std::string architecture = "amd64";
  std::map<std::string, std::string> env;
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string workdir;
  std::string user;
  std::map<std::string, std::string> labels;
};

// `base` is the config of the image that it is built on, as JSON; "" is none. What that says stays, but for
// what `config` says otherwise; its history goes.
std::string render_config(const ImageConfig& config, const std::vector<Layer>& layers,
                          const std::string& base);
std::string render_manifest(const BlobRef& config, const std::vector<Layer>& layers);

struct IndexEntry {
  BlobRef manifest;
  std::string architecture;
  std::string variant;  // of the base; "" when it has none
};
std::string render_index(const std::vector<IndexEntry>& entries);

}  // namespace trainmake
