#include "rules/image/manifest_json.h"

#include <nlohmann/json.hpp>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

Json descriptor_json(const BlobRef& descriptor) {
  return {{"mediaType", descriptor.media_type},
          {"digest", cat("sha256:", descriptor.digest.hex())},
          {"size", descriptor.size}};
}

}  // namespace

std::string render_config(const ImageConfig& config, const std::vector<Layer>& layers) {
  Json inner = Json::object();
  for (const auto& [name, value] : config.env) inner["Env"].push_back(cat(name, "=", value));
  if (!config.entrypoint.empty()) inner["Entrypoint"] = config.entrypoint;
  if (!config.cmd.empty()) inner["Cmd"] = config.cmd;
  if (!config.workdir.empty()) inner["WorkingDir"] = config.workdir;
  if (!config.user.empty()) inner["User"] = config.user;
  if (!config.labels.empty()) inner["Labels"] = config.labels;
  Json diff_ids = Json::array();
  for (const Layer& layer : layers) diff_ids.push_back(cat("sha256:", layer.diff_id.hex()));
  const Json document = {{"architecture", config.architecture},
                         {"os", "linux"},
                         {"config", inner},
                         {"rootfs", {{"type", "layers"}, {"diff_ids", diff_ids}}}};
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

}  // namespace trainmake
