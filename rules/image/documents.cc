#include "rules/image/documents.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 2> kIndices = {
    "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"};
constexpr std::array<std::string_view, 2> kManifests = {
    "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"};
constexpr std::array<std::string_view, 2> kConfigs = {"application/vnd.oci.image.config.v1+json",
                                                      "application/vnd.docker.container.image.v1+json"};
constexpr std::array<std::string_view, 8> kLayers = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"};

template <typename List>
bool lists(const List& list, std::string_view media_type) {
  return std::find(list.begin(), list.end(), media_type) != list.end();
}

Failure wrong(std::string_view what) { return fail(user_error(std::string(what))); }

const Json& at(const Json& object, const char* name) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

Result<BlobRef> blob_at(const Json& descriptor, const std::string& what) {
  std::optional<BlobRef> blob = blob_of(descriptor);
  if (!blob) return wrong(cat("names ", what, " without a digest or a size"));
  return *std::move(blob);
}

Result<Json> object_of(std::string_view text) {
  Json json = parse_json<Json>(text);
  if (!json.is_object()) return wrong("is no JSON object");
  return json;
}

}  // namespace

std::optional<BlobRef> blob_of(const Json& descriptor) {
  const std::optional<Sha256> digest = parse_digest(text_at(descriptor, "digest"));
  if (!digest || !descriptor.contains("size") || !descriptor["size"].is_number_unsigned())
    return std::nullopt;
  return BlobRef{text_at(descriptor, "mediaType"), *digest, descriptor["size"].get<std::uint64_t>()};
}

bool is_index(std::string_view media_type) { return lists(kIndices, media_type); }
bool is_manifest(std::string_view media_type) { return lists(kManifests, media_type); }
bool is_config(std::string_view media_type) { return lists(kConfigs, media_type); }
bool is_layer(std::string_view media_type) { return lists(kLayers, media_type); }

Result<ImageManifest> parse_image_manifest(std::string_view json) {
  TRY_ASSIGN(const Json document, object_of(json));
  if (at(document, "schemaVersion") != 2) return wrong("is of an old kind: its `schemaVersion` is not 2");
  if (!at(document, "config").is_object()) return wrong("has no `config`");
  if (!at(document, "layers").is_array()) return wrong("has no `layers`");
  ImageManifest manifest;
  TRY_ASSIGN(manifest.config, blob_at(document["config"], "its config"));
  for (const Json& layer : document["layers"]) {
    TRY_ASSIGN(BlobRef blob, blob_at(layer, cat("layer ", manifest.layers.size() + 1)));
    manifest.layers.push_back(std::move(blob));
  }
  return manifest;
}

Result<std::vector<ListedManifest>> parse_image_index(std::string_view json) {
  TRY_ASSIGN(const Json document, object_of(json));
  if (at(document, "schemaVersion") != 2) return wrong("is of an old kind: its `schemaVersion` is not 2");
  if (!at(document, "manifests").is_array()) return wrong("has no `manifests`");
  std::vector<ListedManifest> entries;
  for (const Json& each : document["manifests"]) {
    TRY_ASSIGN(BlobRef blob, blob_at(each, cat("manifest ", entries.size() + 1)));
    const Json& platform = at(each, "platform");
    entries.push_back({std::move(blob), text_at(platform, "os"), text_at(platform, "architecture")});
  }
  return entries;
}

Result<ConfigFacts> parse_image_config(std::string_view json) {
  TRY_ASSIGN(const Json document, object_of(json));
  ConfigFacts facts{text_at(document, "os"), text_at(document, "architecture"), {}};
  if (facts.os.empty()) return wrong("has no `os`");
  if (facts.architecture.empty()) return wrong("has no `architecture`");
  const Json& root = at(document, "rootfs");
  if (text_at(root, "type") != "layers" || !at(root, "diff_ids").is_array())
    return wrong("has no `rootfs` of layers");
  for (const Json& id : root["diff_ids"]) {
    const std::optional<Sha256> digest = id.is_string() ? parse_digest(id.get<std::string>()) : std::nullopt;
    if (!digest) return wrong(cat("names layer ", facts.diff_ids.size() + 1, " by no digest"));
    facts.diff_ids.push_back(*digest);
  }
  return facts;
}

CommandConfig command_config_of(std::string_view json) {
  CommandConfig config;
  const Json document = parse_json<Json>(json);
  const Json& inner = at(document, "config");
  config.user = text_at(inner, "User");
  if (std::string folder = text_at(inner, "WorkingDir"); !folder.empty()) config.workdir = std::move(folder);
  const Json& variables = at(inner, "Env");
  for (const Json& entry : variables.is_array() ? variables : Json::array()) {
    if (!entry.is_string()) continue;
    const std::string pair = entry.get<std::string>();
    const std::size_t equals = pair.find('=');
    if (equals != std::string::npos) config.environment[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return config;
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

std::string media_type_of(std::string_view json) {
  const Result<Json> document = object_of(json);
  return document ? text_at(*document, "mediaType") : std::string();
}

std::string type_of_document(std::string_view json) {
  const std::string said = media_type_of(json);
  return said.empty() ? kManifestType : said;
}

bool is_canonical(std::string_view json) {
  return parse_json<Json>(json).dump(-1, ' ', false, Json::error_handler_t::replace) == json;
}

Result<std::string> read_document(Registry& registry, const std::string& repository, const BlobRef& blob,
                                  const std::stop_token& stop) {
  if (blob.size > kLargestDocument)
    return fail(user_error(cat("A document of ", quoted(repository), " is ", human_bytes(blob.size), " long"))
                    .because(Blame::kRemote));
  std::string bytes;
  TRY(registry.read(
      repository, blob,
      [&](std::string_view piece) {
        bytes += piece;
        return Result<void>();
      },
      stop));
  return bytes;
}

}  // namespace trainmake
