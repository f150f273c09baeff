#include "rules/image/built_base.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/secrets.h"
#include "engine/base/text.h"
#include "rules/image/dockerfile.h"
#include "rules/image/documents.h"
#include "rules/image/manifest_json.h"

namespace trainmake {
namespace {

// The documents of an earlier build, back in the store, which is swept of what no image is made of.
Result<std::optional<Sha256>> remembered(FileSystem& files, const std::string& memo,
                                         const ImageStore& store) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, memo));
  const nlohmann::json json = text ? parse_json<nlohmann::json>(*text) : nlohmann::json();
  const std::string manifest = text_at(json, "manifest");
  const std::string config = text_at(json, "config");
  if (manifest.empty() || config.empty()) return std::optional<Sha256>();
  TRY(store.make(kConfigType, config));
  TRY_ASSIGN(const BlobRef made, store.make(kManifestType, manifest));
  return std::optional(made.digest);
}

Result<void> remember(FileSystem& files, const std::string& memo, const ImageStore& store,
                      const Sha256& manifest, const Base& base) {
  TRY_ASSIGN(const std::optional<std::string> bytes, store.read(manifest));
  CHECK(bytes.has_value());
  return write_file(files, memo, nlohmann::json{{"manifest", *bytes}, {"config", base.config}}.dump());
}

Result<bool> is_whole(const Base& base, const ImageStore& store) {
  for (const Layer& layer : base.layers) {
    TRY_ASSIGN(const std::optional<std::uint64_t> size, store.size_of(layer.blob.digest, nullptr));
    if (size != layer.blob.size) return false;
  }
  return true;
}

}  // namespace

Result<Base> built_base(const ImageServices& services, const ImageStore& store, Registry& layout,
                        const Target& image, const Edition& edition, const FileTree& context,
                        const Doing& doing) {
  FileSystem& files = services.host.files;
  const std::string name = image.label.shortest_from(services.workspace.here);
  const std::string dockerfile = image.string_or("dockerfile", "");
  const std::string key = Hasher()
                              .field("dockerfile-1")
                              .field(dockerfile)
                              .field(context.identity)
                              .field(edition.architecture)
                              .finish()
                              .hex();
  const std::string memo = path_join(store.folder(), cat("dockerfiles/", key, ".json"));
  const BaseSource source{&layout, "", cat("of the Dockerfile ", dockerfile)};
  TRY_ASSIGN(const std::optional<Sha256> known, remembered(files, memo, store));
  if (known && !doing.afresh) {
    TRY_ASSIGN(Base base, read_base(source, *known, edition.architecture, store, doing.stop));
    TRY_ASSIGN(const bool whole, is_whole(base, store));
    if (whole) return base;
  }
  TRY_ASSIGN(const Secrets secrets, secrets_of(services.host.environment, image.strings("secrets"), name));
  TRY_ASSIGN(const Listing listing, services.file_sets.store(context.files, services.blobs, doing.stop));
  const auto tell = [&](const std::string& line) { doing.events(LogLine{image.label, line}); };
  Result<Sha256> built =
      build_dockerfile(services.host, services.blobs, store,
                       {name, dockerfile, listing, edition.architecture, secrets, tell}, doing.stop);
  if (!built) return fail(std::move(built).error().at(image.place_of("dockerfile")));
  TRY_ASSIGN(Base base, read_base(source, *built, edition.architecture, store, doing.stop));
  TRY(remember(files, memo, store, *built, base));
  return base;
}

}  // namespace trainmake
