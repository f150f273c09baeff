#include "rules/image/built_base.h"

#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/secrets.h"
#include "engine/base/text.h"
#include "rules/image/dockerfile.h"
#include "rules/image/documents.h"
#include "rules/image/secret_search.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

Result<bool> is_whole(const Base& base, const ImageStore& store) {
  for (const PlacedLayer& placed : base.layers) {
    const BlobRef& blob = placed.layer.blob;
    TRY_ASSIGN(const std::optional<std::uint64_t> size, store.size_of(blob.digest, nullptr));
    if (size != blob.size) return false;
  }
  return true;
}

}  // namespace

std::string BuiltBases::memo_path(const Target& image, const Edition& edition,
                                  const FileTree& context) const {
  Hasher key;
  key.field("dockerfile-2")
      .field(image.string_or("dockerfile", ""))
      .field(context.identity)
      .field(edition.architecture);
  for (const std::string& secret : image.strings("secrets")) key.field(secret);
  return path_join(store_.folder(), cat("dockerfiles/", key.finish().hex(), ".json"));
}

BaseSource BuiltBases::source_of(const Target& image) const {
  return {&layout_, "", cat("of the Dockerfile ", image.string_or("dockerfile", ""))};
}

// A memo has both documents: the store is swept of what no image is made of.
Result<std::optional<Base>> BuiltBases::kept(const Target& image, const Edition& edition,
                                             const FileTree& context) {
  TRY_ASSIGN(const std::optional<std::string> text,
             read_file_if_there(services_.host.files, memo_path(image, edition, context)));
  const Json memo = text ? parse_json<Json>(*text) : Json();
  Result<Base> base =
      base_of(source_of(image), edition.architecture, text_at(memo, "manifest"), text_at(memo, "config"));
  if (!base) return std::optional<Base>();
  TRY_ASSIGN(const bool whole, is_whole(*base, store_));
  return whole ? std::optional(*std::move(base)) : std::nullopt;
}

Result<Base> BuiltBases::of(const Target& image, const Edition& edition, const FileTree& context,
                            const Doing& doing) {
  TRY_ASSIGN(std::optional<Base> known, kept(image, edition, context));
  if (known && !doing.afresh) return *std::move(known);
  const std::string memo = memo_path(image, edition, context);
  TRY_ASSIGN(const FileLock alone, making_.hold(memo, doing.stop, [&] {
    doing.events(Message{image.label, "Waits for another image that has its Dockerfile built"});
  }));
  TRY_ASSIGN(known, kept(image, edition, context));
  if (known && (!doing.afresh || making_.has_made(memo))) return *std::move(known);
  TRY_ASSIGN(Base built, build(image, edition, context, doing));
  if (doing.afresh) making_.add(memo);
  return built;
}

Result<Base> BuiltBases::build(const Target& image, const Edition& edition, const FileTree& context,
                               const Doing& doing) {
  const std::string name = image.label.shortest_from(services_.workspace.here);
  TRY_ASSIGN(const Secrets secrets, secrets_of(services_.host.environment, image.strings("secrets"), name));
  TRY_ASSIGN(const Listing listing, services_.file_sets.store(context.files, services_.blobs, doing.stop));
  if (std::string said = not_looked_for(secrets); !said.empty())
    doing.events(Message{image.label, std::move(said)});
  const auto tell = [&](const std::string& line) { doing.events(LogLine{image.label, line}); };
  Result<Sha256> built = build_dockerfile(services_.host, services_.blobs, store_,
                                          {name, image.label.text(), image.string_or("dockerfile", ""),
                                           listing, edition.architecture, secrets, tell},
                                          doing.stop);
  if (!built) return fail(std::move(built).error().at(image.place_of("dockerfile")));
  TRY_ASSIGN(Base base, read_base(source_of(image), *built, edition.architecture, store_, doing.stop));
  TRY_ASSIGN(const std::optional<std::string> manifest, store_.read(*built));
  CHECK(manifest.has_value());
  TRY(write_file(services_.host.files, memo_path(image, edition, context),
                 Json{{"manifest", *manifest}, {"config", base.config}}.dump()));
  return base;
}

}  // namespace trainmake
