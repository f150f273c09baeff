#include "rules/image/image_archive.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "rules/image/documents.h"
#include "rules/image/reference.h"
#include "rules/image/tar.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr const char* kContainerdName =
    "io.containerd.image.name";  // a whole reference; podman heeds it, too

std::string blob_path(const Sha256& digest) { return cat("blobs/sha256/", digest.hex()); }

std::string index_json(const ImageContents& contents) {
  Json manifests = Json::array();
  for (const ImageContents::Image& image : contents.images) {
    for (const std::string& name : image.names) {
      Json annotations = {{kRefName, name}};
      if (const Result<Reference> reference = parse_reference(name))
        annotations[kContainerdName] = reference->text();
      manifests.push_back({{"mediaType", image.blob.media_type},
                           {"digest", digest_text(image.blob.digest)},
                           {"size", image.blob.size},
                           {"annotations", std::move(annotations)}});
    }
  }
  return Json{{"schemaVersion", 2},
              {"mediaType", "application/vnd.oci.image.index.v1+json"},
              {"manifests", std::move(manifests)}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

// As `docker save` writes it.
std::string docker_json(const ImageContents& contents) {
  Json list = Json::array();
  for (const ImageContents::Image& image : contents.images) {
    Json tags = Json::array(), layers = Json::array();
    std::copy_if(image.names.begin(), image.names.end(), std::back_inserter(tags), is_docker_name);
    for (const BlobRef& layer : image.here.layers) layers.push_back(blob_path(layer.digest));
    list.push_back({{"Config", blob_path(image.here.config.digest)},
                    {"RepoTags", std::move(tags)},
                    {"Layers", std::move(layers)}});
  }
  return list.dump(-1, ' ', false, Json::error_handler_t::replace);
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

Result<void> write_image_archive(const ImageContents& contents, const ImageSource& source,
                                 const ByteSink& sink, const std::stop_token& stop) {
  TarWriter tar(sink);
  for (const char* folder : {"blobs", "blobs/sha256"})
    TRY(tar.entry({TarEntry::Kind::kFolder, folder, 0755, 0, {}}));
  for (const auto& [digest, blob] : contents.blobs) {
    const auto document = contents.documents.find(digest);
    if (document != contents.documents.end())
      TRY(add_text(tar, blob_path(digest), document->second));
    else
      TRY(add_layer(tar, blob, source, stop));
  }
  TRY(add_text(tar, "index.json", index_json(contents)));
  TRY(add_text(tar, "manifest.json", docker_json(contents)));
  TRY(add_text(tar, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}"));
  return tar.finish();
}

}  // namespace trainmake
