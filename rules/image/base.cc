#include "rules/image/base.h"

#include "engine/base/text.h"
#include "rules/image/base_lock.h"
#include "rules/image/documents.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

Error unusable(const BaseSource& source, std::string_view why) {
  return user_error(cat("Base ", quoted(source.name), " cannot be built on: ", why)).because(Blame::kRemote);
}

// As OCI calls what docker calls otherwise; "" when it is none that can be passed on.
std::string layer_type(const std::string& media_type) {
  if (media_type == "application/vnd.docker.image.rootfs.diff.tar.gzip")
    return "application/vnd.oci.image.layer.v1.tar+gzip";
  if (media_type == "application/vnd.docker.image.rootfs.diff.tar")
    return "application/vnd.oci.image.layer.v1.tar";
  return media_type.starts_with("application/vnd.oci.image.layer.v1.tar") ? media_type : "";
}

// From the store, else from the registry and then kept.
Result<std::string> kept_document(Registry& registry, const std::string& repository, const BlobRef& blob,
                                  const ImageStore& store, const std::stop_token& stop) {
  TRY_ASSIGN(const std::optional<std::string> kept, store.read(blob.digest));
  if (kept) return *kept;
  TRY_ASSIGN(const std::string bytes, read_document(registry, repository, blob, stop));
  TRY(store.make(blob.media_type, bytes));
  return bytes;
}

}  // namespace

Result<Sha256> resolve_base(const BaseSource& source, const std::string& reference,
                            const std::string& architecture, const std::stop_token& stop) {
  TRY_ASSIGN(const std::optional<BlobRef> found,
             source.registry->find({source.repository, reference}, nullptr, stop));
  if (!found)
    return fail(user_error(cat("There is no base ", quoted(source.name)),
                           "Check its name and tag; `trainmake login` may be needed to see it")
                    .because(Blame::kRemote));
  if (!is_index(found->media_type)) return found->digest;
  TRY_ASSIGN(const std::string bytes, read_document(*source.registry, source.repository, *found, stop));
  const std::optional<Sha256> digest = manifest_in_index(bytes, architecture);
  if (digest) return *digest;
  return fail(unusable(source, cat("it has no variant for linux/", architecture)));
}

Result<bool> base_is_kept(const Sha256& manifest, const ImageStore& store) {
  TRY_ASSIGN(const std::optional<std::string> bytes, store.read(manifest));
  const Result<ImageManifest> read = parse_image_manifest(bytes.value_or(""));
  if (!read) return false;
  TRY_ASSIGN(const std::optional<std::string> kept, store.read(read->config.digest));
  return kept.has_value();
}

Result<Base> base_of(const BaseSource& source, const std::string& architecture, const std::string& manifest,
                     std::string config) {
  const Result<ImageManifest> document = parse_image_manifest(manifest);
  if (!document) return fail(unusable(source, cat("its manifest ", document.error().message)));
  const Result<ConfigFacts> facts = parse_image_config(config);
  if (!facts) return fail(unusable(source, cat("its config ", facts.error().message)));
  if (facts->os != "linux" || facts->architecture != architecture)
    return fail(unusable(source, cat("it is for ", facts->os, "/", facts->architecture,
                                     ", and wanted is linux/", architecture))
                    .advise("Write the base's `architecture`, or choose another base"));
  if (facts->diff_ids.size() != document->layers.size())
    return fail(unusable(source, "its config and its manifest do not agree"));
  Base base{source, {}, std::move(config)};
  for (std::size_t i = 0; i < facts->diff_ids.size(); ++i) {
    BlobRef blob = document->layers[i];
    if (blob.media_type = layer_type(blob.media_type); blob.media_type.empty())
      return fail(unusable(source, "it has a layer that may not be passed on"));
    base.layers.push_back({{std::move(blob), facts->diff_ids[i]}, source.registry, source.repository});
  }
  return base;
}

Result<Base> read_base(const BaseSource& source, const Sha256& manifest, const std::string& architecture,
                       const ImageStore& store, const std::stop_token& stop) {
  TRY_ASSIGN(std::optional<std::string> bytes, store.read(manifest));
  if (!bytes) {
    TRY_ASSIGN(const std::optional<BlobRef> named,
               source.registry->find({source.repository, digest_text(manifest)}, nullptr, stop));
    if (!named || named->digest != manifest)
      return fail(unusable(source, cat("its registry has no ", digest_text(manifest), " any more"))
                      .advise("`trainmake update` asks what it stands for now"));
    TRY_ASSIGN(bytes, kept_document(*source.registry, source.repository, *named, store, stop));
  }
  const Result<ImageManifest> document = parse_image_manifest(*bytes);
  if (!document) return fail(unusable(source, cat("its manifest ", document.error().message)));
  TRY_ASSIGN(std::string config,
             kept_document(*source.registry, source.repository, document->config, store, stop));
  return base_of(source, architecture, *bytes, std::move(config));
}

}  // namespace trainmake
