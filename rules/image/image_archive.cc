#include "rules/image/image_archive.h"

#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "rules/image/reference.h"
#include "rules/image/tar.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr const char* kRefName = "org.opencontainers.image.ref.name";
constexpr const char* kContainerdName =
    "io.containerd.image.name";  // a whole reference; podman heeds it, too

std::string blob_path(const Sha256& digest) { return cat("blobs/sha256/", digest.hex()); }

std::string index_json(const ImageContents& image, const std::vector<std::string>& names) {
  Json manifests = Json::array();
  for (const std::string& name : names) {
    Json annotations = {{kRefName, name}};
    if (const Result<Reference> reference = parse_reference(name))
      annotations[kContainerdName] = reference->text();
    manifests.push_back({{"mediaType", image.image.media_type},
                         {"digest", digest_text(image.image.digest)},
                         {"size", image.image.size},
                         {"annotations", std::move(annotations)}});
  }
  return Json{{"schemaVersion", 2},
              {"mediaType", "application/vnd.oci.image.index.v1+json"},
              {"manifests", std::move(manifests)}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What `docker save` writes: one image, that for this machine.
std::string docker_json(const ImageContents& image, const std::vector<std::string>& names) {
  const ImageManifest& manifest = image.manifests[image.here];
  Json tags = Json::array(), layers = Json::array();
  for (const std::string& name : names) {
    if (is_docker_name(name)) tags.push_back(name);
  }
  for (const BlobRef& layer : manifest.layers) layers.push_back(blob_path(layer.digest));
  const Json config = blob_path(manifest.config.digest);
  return Json::array({{{"Config", config}, {"RepoTags", std::move(tags)}, {"Layers", std::move(layers)}}})
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<void> add_text(TarWriter& tar, const std::string& path, const std::string& text) {
  TRY(tar.entry({TarEntry::Kind::kFile, path, 0644, text.size(), {}}));
  return tar.content(text);
}

Result<void> add_layer(TarWriter& tar, const BlobRef& blob, const ImageSource& source,
                       const std::stop_token& stop) {
  TRY(tar.entry({TarEntry::Kind::kFile, blob_path(blob.digest), 0644, blob.size, {}}));
  std::uint64_t left = blob.size;
  const auto take = [&](std::string_view bytes) -> Result<void> {
    if (stop.stop_requested()) return fail(interrupted_error());
    if (bytes.size() > left)
      return fail(step_error(cat("The image's blob ", digest_text(blob.digest), " is longer than it was")));
    left -= bytes.size();
    return tar.content(bytes);
  };
  TRY(source.read(blob, take, stop));
  if (left == 0) return {};
  return fail(step_error(cat("The image's blob ", digest_text(blob.digest), " is shorter than it was")));
}

}  // namespace

bool is_docker_name(const std::string& name) { return parse_reference(name).has_value(); }

Result<void> write_image_archive(const ImageContents& image, const std::vector<std::string>& names,
                                 const ImageSource& source, const ByteSink& sink,
                                 const std::stop_token& stop) {
  TarWriter tar(sink);
  for (const char* folder : {"blobs", "blobs/sha256"})
    TRY(tar.entry({TarEntry::Kind::kFolder, folder, 0755, 0, {}}));
  for (const auto& [digest, blob] : image.blobs) {
    const auto document = image.documents.find(digest);
    if (document != image.documents.end())
      TRY(add_text(tar, blob_path(digest), document->second));
    else
      TRY(add_layer(tar, blob, source, stop));
  }
  TRY(add_text(tar, "index.json", index_json(image, names)));
  TRY(add_text(tar, "manifest.json", docker_json(image, names)));
  TRY(add_text(tar, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}"));
  return tar.finish();
}

}  // namespace trainmake
