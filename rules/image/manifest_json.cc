#include "rules/image/manifest_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr const char* kVariantAnnotation = "trainmake.variant";

Json descriptor_json(const BlobRef& descriptor) {
  return {{"mediaType", descriptor.media_type},
          {"digest", digest_text(descriptor.digest)},
          {"size", descriptor.size}};
}

// A variable that the base has stays at its place.
void set_environment(const std::map<std::string, std::string>& variables, Json& inner) {
  if (variables.empty()) return;
  if (!(inner.contains("Env") && inner["Env"].is_array())) inner["Env"] = Json::array();
  for (const auto& [name, value] : variables) {
    const std::string first = cat(name, "=");
    const auto known = std::find_if(inner["Env"].begin(), inner["Env"].end(), [&](const Json& entry) {
      return entry.is_string() && entry.get<std::string>().starts_with(first);
    });
    if (known != inner["Env"].end())
      *known = cat(first, value);
    else
      inner["Env"].push_back(cat(first, value));
  }
}

}  // namespace

std::string render_config(const ImageConfig& config, const std::vector<Layer>& layers,
                          const std::string& base) {
  Json below = base.empty() ? Json::object() : parse_json<Json>(base);
  if (!below.is_object()) below = Json::object();
  Json inner = below.contains("config") && below["config"].is_object() ? below["config"] : Json::object();
  set_environment(config.env, inner);
  // Arguments belong to what they are given to.
  if (!config.entrypoint.empty()) inner.erase("Cmd"), inner["Entrypoint"] = config.entrypoint;
  if (!config.cmd.empty()) inner["Cmd"] = config.cmd;
  if (!config.workdir.empty()) inner["WorkingDir"] = config.workdir;
  if (!config.user.empty()) inner["User"] = config.user;
  if (!config.labels.empty() && !(inner.contains("Labels") && inner["Labels"].is_object()))
    inner["Labels"] = Json::object();
  for (const auto& [name, value] : config.labels) inner["Labels"][name] = value;
  Json diff_ids = Json::array();
  for (const Layer& layer : layers) diff_ids.push_back(digest_text(layer.diff_id));
  Json document = {{"architecture", config.architecture},
                   {"os", "linux"},
                   {"config", inner},
                   {"rootfs", {{"type", "layers"}, {"diff_ids", diff_ids}}}};
  for (const char* name : {"variant", "os.version", "os.features"}) {
    if (below.contains(name)) document[name] = below[name];
  }
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string render_manifest(const BlobRef& config, const std::vector<Layer>& layers) {
  Json list = Json::array();
  for (const Layer& layer : layers) list.push_back(descriptor_json(layer.blob));
  return Json{{"schemaVersion", 2},
              {"mediaType", kManifestType},
              {"config", descriptor_json(config)},
              {"layers", list}}
      .dump();
}

std::string render_index(const std::vector<IndexEntry>& entries) {
  Json list = Json::array();
  for (const IndexEntry& entry : entries) {
    Json descriptor = descriptor_json(entry.manifest);
    descriptor["platform"] = {{"architecture", entry.architecture}, {"os", "linux"}};
    if (!entry.variant.empty()) descriptor["annotations"] = {{kVariantAnnotation, entry.variant}};
    list.push_back(std::move(descriptor));
  }
  return Json{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", list}}.dump();
}

}  // namespace trainmake
