#include "rules/image/validate.h"

#include "engine/base/text.h"
#include "rules/image/documents.h"
#include "rules/image/reference.h"
#include "rules/image/tar_check.h"
#include "rules/image/uncompress.h"

namespace trainmake {
namespace {

// What a registry need not have: a layer that only its maker may hand out.
bool may_be_elsewhere(std::string_view media_type) {
  return media_type.find("nondistributable") != media_type.npos ||
         media_type.find("foreign") != media_type.npos;
}

std::string short_name(const Sha256& digest) { return digest_text(digest).substr(0, 19); }

class Validation {
 public:
  Validation(const ImageToCheck& what, std::stop_token stop) : what_(what), stop_(std::move(stop)) {}

  Result<void> check_tags() {
    for (const std::string& tag : what_.tags) {
      TRY_ASSIGN(const std::optional<BlobRef> named,
                 what_.registry.find({what_.repository, tag}, nullptr, stop_));
      if (!named)
        tell(cat("Tag ", quoted(tag), " is not there"));
      else if (named->digest != what_.image.digest)
        tell(cat("Tag ", quoted(tag), " points at ", short_name(named->digest), ", not at this image"),
             "Somebody else put another one there; `--force` on the image points it here again");
    }
    return {};
  }

  Result<void> check_document(const BlobRef& blob) {
    if (is_index(blob.media_type)) return check_index(blob);
    if (is_manifest(blob.media_type)) return check_manifest(blob, nullptr);
    tell(cat("The image is of the unknown media type ", quoted(blob.media_type)));
    return {};
  }

  ImageFindings take() { return std::move(findings_); }

 private:
  void tell(std::string sentence, std::string hint = "") {
    findings_.wrong.push_back(step_error(std::move(sentence), std::move(hint)));
  }

  // Nothing when it cannot be read, which is told.
  Result<std::optional<std::string>> document(const std::string& name, const BlobRef& blob) {
    Result<std::string> bytes = read_document(what_.registry, what_.repository, blob, stop_);
    if (!bytes) {
      if (bytes.error().blame == Blame::kInterrupted) return fail(std::move(bytes).error());
      findings_.wrong.push_back(std::move(bytes).error());
      return std::optional<std::string>();
    }
    if (bytes->size() != blob.size)
      tell(cat(name, " has ", bytes->size(), " bytes, and ", blob.size, " are said of it"));
    if (what_.is_ours && !is_canonical(*bytes)) tell(cat(name, " is no canonical JSON"));
    return std::optional(*std::move(bytes));
  }

  void check_says_itself(const std::string& name, const std::string& bytes, const std::string& media_type) {
    const std::string said = media_type_of(bytes);
    if (said == media_type || (said.empty() && !what_.is_ours)) return;
    tell(cat(name, " is handed out as ", quoted(media_type), " and says of itself ", quoted(said)));
  }

  Result<void> check_index(const BlobRef& blob) {
    const std::string name = cat("Index ", short_name(blob.digest));
    TRY_ASSIGN(const std::optional<std::string> bytes, document(name, blob));
    if (!bytes) return {};
    check_says_itself(name, *bytes, blob.media_type);
    const Result<std::vector<ListedManifest>> entries = parse_image_index(*bytes);
    if (!entries) {
      tell(cat(name, " ", entries.error().message));
      return {};
    }
    for (const ListedManifest& entry : *entries) {
      if (is_manifest(entry.manifest.media_type)) {
        TRY(check_manifest(entry.manifest, &entry));
      } else {
        tell(cat(name, " has an entry of the media type ", quoted(entry.manifest.media_type)));
      }
    }
    return {};
  }

  Result<void> check_manifest(const BlobRef& blob, const ListedManifest* listed) {
    const std::string name = cat("Manifest ", short_name(blob.digest));
    TRY_ASSIGN(const std::optional<std::string> bytes, document(name, blob));
    if (!bytes) return {};
    ++findings_.manifests;
    check_says_itself(name, *bytes, blob.media_type);
    const Result<ImageManifest> manifest = parse_image_manifest(*bytes);
    if (!manifest) {
      tell(cat(name, " ", manifest.error().message));
      return {};
    }
    // An index may list what is no image: attestations and the like.
    if (!is_config(manifest->config.media_type)) {
      if (listed == nullptr || what_.is_ours)
        tell(cat(name, " has a config of the unknown media type ", quoted(manifest->config.media_type)));
      return {};
    }
    TRY_ASSIGN(const std::optional<std::vector<Sha256>> diff_ids, check_config(manifest->config, listed));
    if (!diff_ids) return {};
    const std::vector<BlobRef>& layers = manifest->layers;
    if (diff_ids->size() != layers.size()) {
      tell(cat(name, " has ", plural(layers.size(), "layer"), ", and its config ", diff_ids->size()));
      return {};
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const bool own = what_.is_ours && i + what_.own_layers >= layers.size();
      TRY(check_layer(cat("Layer ", i + 1, " ", short_name(layers[i].digest)), layers[i], (*diff_ids)[i],
                      own ? TarMaker::kUs : TarMaker::kAnybody));
    }
    return {};
  }

  // Returns the DiffIDs that it names; nothing when it cannot be read, which is told.
  Result<std::optional<std::vector<Sha256>>> check_config(const BlobRef& blob, const ListedManifest* listed) {
    const std::string name = cat("Config ", short_name(blob.digest));
    TRY_ASSIGN(const std::optional<std::string> bytes, document(name, blob));
    if (!bytes) return std::optional<std::vector<Sha256>>();
    Result<ConfigFacts> facts = parse_image_config(*bytes);
    if (!facts) {
      tell(cat(name, " ", facts.error().message));
      return std::optional<std::vector<Sha256>>();
    }
    if (listed != nullptr && !listed->architecture.empty() &&
        (listed->os != facts->os || listed->architecture != facts->architecture))
      tell(cat(name, " is for ", facts->os, "/", facts->architecture, ", and its index lists it for ",
               listed->os, "/", listed->architecture));
    return std::optional(std::move(facts->diff_ids));
  }

  Result<void> check_layer(const std::string& name, const BlobRef& blob, const Sha256& diff_id,
                           TarMaker maker) {
    if (!is_layer(blob.media_type)) {
      tell(cat(name, " is of the unknown media type ", quoted(blob.media_type)));
      return {};
    }
    if (may_be_elsewhere(blob.media_type)) return {};
    TRY_ASSIGN(const std::optional<std::uint64_t> there,
               what_.registry.size_of(what_.repository, blob.digest, nullptr, stop_));
    if (there && *there != blob.size) {
      tell(cat(name, " has ", *there, " bytes, and ", blob.size, " are said of it"));
      return {};
    }
    TarCheck tar(maker);
    Sha256Hasher uncompressed;
    Uncompressor unpacked(compression_of(blob.media_type), [&](std::string_view bytes) {
      uncompressed.raw(bytes);
      tar.add(bytes);
      return stop_.stop_requested() ? Result<void>(fail(interrupted_error())) : Result<void>();
    });
    std::uint64_t size = 0;
    Result<void> unpacking;  // what goes wrong there is not what goes wrong with the bytes
    const Result<void> read = what_.registry.read(
        what_.repository, blob,
        [&](std::string_view bytes) {
          size += bytes.size();
          if (unpacking) unpacking = unpacked.add(bytes);
          return stop_.stop_requested() ? Result<void>(fail(interrupted_error())) : Result<void>();
        },
        stop_);
    if (!read && read.error().blame == Blame::kInterrupted) return read;
    ++findings_.layers;
    findings_.bytes += size;
    if (!read) {
      findings_.wrong.push_back(read.error());
      return {};
    }
    if (unpacking) unpacking = unpacked.finish();
    if (!unpacking) {
      tell(cat(name, " is not compressed as its media type says: ", unpacking.error().message));
      return {};
    }
    if (uncompressed.finish() != diff_id)
      tell(cat(name, " is not what its DiffID ", short_name(diff_id), " says"));
    for (const std::string& fault : tar.finish()) tell(cat(name, " ", fault));
    return {};
  }

  const ImageToCheck& what_;
  std::stop_token stop_;
  ImageFindings findings_;
};

}  // namespace

Result<ImageFindings> validate(const ImageToCheck& what, const std::stop_token& stop) {
  Validation validation(what, stop);
  TRY(validation.check_tags());
  TRY(validation.check_document(what.image));
  return validation.take();
}

}  // namespace trainmake
