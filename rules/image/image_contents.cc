#include "rules/image/image_contents.h"

#include "engine/base/text.h"
#include "rules/image/editions.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

constexpr std::string_view kLayout = "oci:", kRegistry = "registry:";

Error gone(const Sha256& digest) {
  return step_error(
      cat("The image's blob ", digest_text(digest), " is neither here nor where the image was sent"),
      "`--force` on the image makes it again");
}

class Reading {
 public:
  Reading(const ImageSource& source, const std::stop_token& stop) : source_(source), stop_(stop) {}

  Result<void> add(const NamedImage& wanted) {
    BlobRef image{kManifestType, wanted.digest, wanted.size};
    TRY_ASSIGN(const auto kept, source_.store.size_of(image.digest, nullptr));
    if (!kept && source_.remote != nullptr) TRY(ask_for_type(image));
    TRY_ASSIGN(const std::string bytes, document(image));
    if (const std::string said = media_type_of(bytes); !said.empty()) image.media_type = said;
    contents_.blobs[image.digest] = image;
    if (!is_index(image.media_type)) {
      TRY_ASSIGN(ImageManifest manifest, add_manifest(image, bytes));
      contents_.images.push_back({image, wanted.names, std::move(manifest)});
      return {};
    }
    std::optional<ImageManifest> here, first;
    TRY_ASSIGN(const std::vector<ListedManifest> listed, understood(image, parse_image_index(bytes)));
    for (const ListedManifest& each : listed) {
      TRY_ASSIGN(const std::string json, document(each.manifest));
      TRY_ASSIGN(const ImageManifest manifest, add_manifest(each.manifest, json));
      if (!first) first = manifest;
      if (!here && each.architecture == architecture_of_this_machine()) here = manifest;
    }
    if (!first) return fail(step_error(cat("The image ", digest_text(image.digest), " is an empty index")));
    contents_.images.push_back({image, wanted.names, here ? *here : *first});
    return {};
  }

  ImageContents take() { return std::move(contents_); }

 private:
  Result<void> ask_for_type(BlobRef& image) {
    TRY_ASSIGN(const std::optional<BlobRef> found,
               source_.remote->find({source_.repository, digest_text(image.digest)}, nullptr, stop_));
    if (!found) return fail(gone(image.digest));
    image.media_type = found->media_type;
    return {};
  }

  template <typename Value>
  static Result<Value> understood(const BlobRef& blob, Result<Value> parsed) {
    if (parsed) return parsed;
    return fail(
        step_error(cat("The image's document ", digest_text(blob.digest), " ", parsed.error().message)));
  }

  Result<std::string> document(const BlobRef& blob) {
    std::string bytes;
    TRY(source_.read(
        blob,
        [&](std::string_view piece) {
          bytes += piece;
          return Result<void>();
        },
        stop_));
    contents_.blobs[blob.digest] = blob;
    return contents_.documents[blob.digest] = std::move(bytes);
  }

  Result<ImageManifest> add_manifest(const BlobRef& blob, const std::string& bytes) {
    TRY_ASSIGN(ImageManifest manifest, understood(blob, parse_image_manifest(bytes)));
    TRY(document(manifest.config));
    for (const BlobRef& layer : manifest.layers) {
      TRY_ASSIGN(const auto here, source_.store.size_of(layer.digest, nullptr));
      if (here != layer.size && source_.remote == nullptr) return fail(gone(layer.digest));
      contents_.blobs[layer.digest] = layer;
    }
    return manifest;
  }

  const ImageSource& source_;
  const std::stop_token& stop_;
  ImageContents contents_;
};

}  // namespace

std::string ImageAddress::name(const std::string& of_tag) const {
  return cat(host.empty() ? repository : path_join(host, repository), ":", of_tag);
}

std::optional<ImageAddress> parse_image_address(std::string_view text) {
  ImageAddress address;
  const bool remote = text.starts_with(kRegistry);
  if (!remote && !text.starts_with(kLayout)) return std::nullopt;
  text.remove_prefix(remote ? kRegistry.size() : kLayout.size());
  const std::size_t at = text.rfind('@');
  const std::optional<Sha256> digest = at == text.npos ? std::nullopt : parse_digest(text.substr(at + 1));
  const std::size_t colon = text.substr(0, at).rfind(':'), slash = remote ? text.find('/') : 0;
  if (!digest || colon == text.npos || slash == text.npos || slash > colon) return std::nullopt;
  address.digest = *digest;
  address.host = text.substr(0, slash);
  address.repository = text.substr(remote ? slash + 1 : 0, colon - (remote ? slash + 1 : 0));
  address.tag = text.substr(colon + 1, at - colon - 1);
  return address;
}

Result<void> ImageSource::read(const BlobRef& blob, const ByteSink& sink, const std::stop_token& stop) const {
  TRY_ASSIGN(const std::optional<std::uint64_t> here, store.size_of(blob.digest, nullptr));
  if (here == blob.size) return layout.read("", blob, sink, stop);
  if (remote == nullptr) return fail(gone(blob.digest));
  return remote->read(repository, blob, sink, stop);
}

std::uint64_t ImageContents::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [digest, blob] : blobs) sum += blob.size;
  return sum;
}

Result<ImageContents> read_contents(const ImageSource& source, const std::vector<NamedImage>& images,
                                    const std::stop_token& stop) {
  Reading reading(source, stop);
  for (const NamedImage& image : images) TRY(reading.add(image));
  return reading.take();
}

}  // namespace trainmake
