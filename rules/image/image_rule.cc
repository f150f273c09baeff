#include "rules/image/image_rule.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kCodeFolder = "/code";  // of the default contract
constexpr std::string_view kArchitecture =
#if defined(__aarch64__)
    "arm64";
#else
    "amd64";
#endif

// The distribution spec's rule.
bool is_tag(const std::string& tag) {
  return !tag.empty() && tag.size() <= 128 && tag.front() != '.' && tag.front() != '-' &&
         std::all_of(tag.begin(), tag.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '_' || c == '-';
         });
}

void check_tag(const Value& tag, std::vector<Error>& errors) {
  if (is_tag(*tag.string())) return;
  errors.push_back(user_error(cat("Tag ", quoted(*tag.string()), " cannot be one"),
                              "Letters, digits, `.`, `_` and `-` may stand in a tag")
                       .at({"", tag.line}));
}

// A repository in the workspace's own layout may have any name that a project's folder has.
std::vector<Error> wrong_tags(const Value& tags) {
  std::vector<Error> errors;
  if (tags.string() != nullptr) check_tag(tags, errors);
  if (const Table* list = tags.table()) {
    for (const Value& tag : list->items) check_tag(tag, errors);
  }
  return errors;
}

std::vector<Error> wrong_file_layers(const Value& layers) {
  std::vector<Error> errors;
  for (const Value& layer : layers.table()->items) {
    const Value& dest = *layer.table()->find("dest");
    if (!dest.string()->starts_with('/'))
      errors.push_back(user_error(cat("`dest` ", quoted(*dest.string()), " of a layer is not absolute"),
                                  "Write it as `/weights`")
                           .at({"", dest.line != 0 ? dest.line : layer.line}));
  }
  return errors;
}

Schema make_schema() {
  return {
      "image",
      "An OCI image: layers and a config, by digest",
      {
          {"code", Shape::kLabelList, "The code in it: its last layers", false, Effect::kResult, {"code"}},
          {"base", Shape::kVariants, "What it is built on; `\"scratch\"` is nothing", true},
          {"run", Shape::kStringList, "Commands run in the base: a layer below the code"},
          {.name = "files",
           .shape = Shape::kFileLayers,
           .doc = "Other files, a layer each: `{ { srcs = glob \"weights/**\", dest = \"/weights\" } }`",
           .wrong = wrong_file_layers},
          {"env", Shape::kScalarMap, "Environment variables"},
          {"workdir", Shape::kString, "The working folder"},
          {"entrypoint", Shape::kStringList, "What a container starts"},
          {"cmd", Shape::kStringList, "Its arguments"},
          {"user", Shape::kString, "Who runs it"},
          {"labels", Shape::kStringMap, "Labels of the image"},
          {.name = "tags",
           .shape = Shape::kStringList,
           .doc = "Its tags; `latest` when none is given",
           .wrong = wrong_tags},
          {"variants", Shape::kStringList, "The variants of `base` to build"},
          {"dockerfile", Shape::kString, "A Dockerfile that builds it instead"},
          {"secrets", Shape::kStringList, "Environment variables that `run` steps see", false, Effect::kNone},
          {"notes", Shape::kString, "A remark", false, Effect::kNone},
      }};
}

std::map<std::string, std::string> map_of(const Fields& fields) {
  std::map<std::string, std::string> map;
  for (const auto& [name, field] : fields) map[name] = scalar_text(field);
  return map;
}

std::string repository(const Target& target) { return path_join(target.label.folder, target.label.name); }

std::vector<std::string> names_of(const Target& target) {
  std::vector<std::string> tags = target.strings("tags");
  if (tags.empty()) tags.emplace_back("latest");
  for (std::string& tag : tags) tag = cat(repository(target), ":", tag);
  return tags;
}

// What this version cannot build is told as that, not built as something else.
Result<void> check_supported(const Target& target) {
  const Value* base = target.find("base");
  if (base->string() == nullptr || *base->string() != "scratch") {
    return fail(
        user_error(
            cat("Images are built on `\"scratch\"` alone so far, not on ",
                base->string() != nullptr ? quoted(*base->string()) : std::string("variants")),
            "Write `base = \"scratch\"`; the local platform runs the code with this machine's own programs")
            .at(target.place_of("base")));
  }
  for (const char* name : {"run", "dockerfile", "variants"}) {
    if (target.find(name) != nullptr)
      return fail(user_error(cat("`", name,
                                 "` needs a base image, and images are built on `\"scratch\"` alone so far"))
                      .at(target.place_of(name)));
  }
  return {};
}

}  // namespace

struct ImageRule::FileLayer {
  std::string dest;
  Listing files;
  std::string identity;
};

ImageRule::ImageRule(Host& host, const Workspace& workspace, Blobs& blobs, FileSets& file_sets,
                     std::unique_ptr<Registry> registry)
    : blobs_(blobs),
      file_sets_(file_sets),
      registry_(std::move(registry)),
      layers_(host, workspace.cache, blobs) {}

const Schema& image_schema() {
  static const Schema schema = make_schema();
  return schema;
}

Result<std::vector<ImageRule::FileLayer>> ImageRule::file_layers(const Target& target, Looks& looks) {
  std::vector<FileLayer> layers;
  const Value* files = target.find("files");
  if (files == nullptr) return layers;
  for (const Value& entry : files->table()->items) {
    std::string dest = *entry.table()->find("dest")->string();
    while (dest.size() > 1 && dest.ends_with('/')) dest.pop_back();
    TRY_ASSIGN(FileSet set, file_sets_.read({target.label.folder,
                                             entry.table()->find("srcs"),
                                             {},
                                             "",
                                             Links::kKeep,
                                             false,
                                             target.place_of("files")}));
    looks.add(set.looks);
    std::string identity = tree_identity(set.files, true).hex();
    layers.push_back({std::move(dest), std::move(set.files), std::move(identity)});
  }
  return layers;
}

Result<Description> ImageRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  TRY(check_supported(target));
  Description description;
  Manifest& manifest = description.manifest;
  manifest.add(Section::kPlatform, "architecture", kArchitecture);
  manifest.add(Section::kBase, "base", digest_of(*target.find("base")));
  for (const char* name : {"env", "workdir", "entrypoint", "cmd", "user", "labels", "tags"}) {
    if (const Value* value = target.find(name)) manifest.add(Section::kAttr, name, digest_of(*value));
  }
  TRY_ASSIGN(const std::vector<FileLayer> files, file_layers(target, description.looks));
  for (std::size_t i = 0; i < files.size(); ++i) {
    manifest.add(Section::kAttr, cat("files[", i + 1, "].dest"), files[i].dest);
    for (const ListedFile& file : files[i].files) {
      manifest.add(Section::kData, file.source,
                   Hasher()
                       .number(i)
                       .field(file.key)
                       .number(file.mode)
                       .field(file.link_target)
                       .number(file.content.high)
                       .number(file.content.low)
                       .finish());
    }
    TRY_ASSIGN(const std::optional<Layer> known,
               layers_.remembered(*registry_, files[i].identity, files[i].dest));
    if (!known) ++description.work.layers;
  }
  for (const Dependency& need : target.needs) {
    const std::string& name = subject.graph[need.target].label.text();
    const Artifacts* code = subject.inputs.artifacts(need.target);
    const Artifact* tree = code == nullptr ? nullptr : find_role(*code, "tree");
    if (tree == nullptr) {
      description.certain = false;
      manifest.add(Section::kUpstream, name, "unknown");
      ++description.work.layers;
      continue;
    }
    manifest.add(Section::kUpstream, name, tree->identity);
    TRY_ASSIGN(const std::optional<Layer> known,
               layers_.remembered(*registry_, tree->identity, std::string(kCodeFolder)));
    if (known) continue;
    ++description.work.layers;
    description.work.layer_bytes += tree->size;
  }
  manifest.seal();
  description.carry = std::make_shared<const std::vector<FileLayer>>(files);
  return description;
}

// The files of `code`, as they were when it ran.
Result<Listing> ImageRule::snapshot(const Artifact& tree, const Label& code) {
  const std::optional<Sha256> digest = Sha256::parse(tree.sha256);
  CHECK(digest.has_value());
  TRY_ASSIGN(const std::optional<std::string> bytes, blobs_.read(*digest));
  std::optional<Listing> listing = bytes ? decode_listing(*bytes) : std::nullopt;
  if (!listing)
    return fail(step_error(cat("The snapshot of ", quoted(code.text()), " is damaged and was removed"),
                           "Run again: it is made anew"));
  return *std::move(listing);
}

Result<ImageRule::MadeLayer> ImageRule::layer(const LayerSource& source, const Doing& doing) {
  TRY_ASSIGN(const std::optional<Layer> known, layers_.remembered(*registry_, source.tree, source.dest));
  if (known && !doing.afresh) return MadeLayer{*known, false};
  TRY_ASSIGN(const Layer built, layers_.build(*registry_, source, doing.stop));
  const bool is_new = !known || known->blob.digest != built.blob.digest;
  if (is_new) {
    doing.tally.pushed_layers += 1;
    doing.tally.pushed_bytes += built.blob.size;
  }
  return MadeLayer{built, is_new};
}

Result<Done> ImageRule::execute(const Subject& subject, const Description& description, const Doing& doing) {
  const Target& target = subject.target();
  std::vector<Layer> layers;
  std::uint64_t new_layers = 0;
  const auto add = [&](MadeLayer made) {
    new_layers += made.is_new ? 1 : 0;
    layers.push_back(std::move(made.layer));
  };
  Artifacts from_code;
  const auto& files = std::any_cast<const std::shared_ptr<const std::vector<FileLayer>>&>(description.carry);
  for (const FileLayer& extra : *files) {
    const auto stored = [&] { return file_sets_.store(extra.files, blobs_, doing.stop); };
    TRY_ASSIGN(MadeLayer made, layer({extra.identity, extra.dest, stored}, doing));
    add(std::move(made));
  }
  for (const Dependency& need : target.needs) {
    const Artifacts* code = subject.inputs.artifacts(need.target);
    CHECK(code != nullptr);
    const Artifact* tree = find_role(*code, "tree");
    const auto listed = [&] { return snapshot(*tree, subject.graph[need.target].label); };
    TRY_ASSIGN(MadeLayer made, layer({tree->identity, std::string(kCodeFolder), listed}, doing));
    add(std::move(made));
    from_code.push_back({"code", tree->identity, tree->sha256, tree->size, tree->address});
  }
  const ImageConfig config{std::string(kArchitecture),      map_of(target.fields("env")),
                           target.strings("entrypoint"),    target.strings("cmd"),
                           target.string_or("workdir", ""), target.string_or("user", ""),
                           map_of(target.fields("labels"))};
  const std::string config_json = render_config(config, layers);
  TRY_ASSIGN(const BlobRef config_blob,
             registry_->put(kConfigType, [&](const ByteSink& out) { return out(config_json); }));
  const std::string manifest_json = render_manifest(config_blob, layers);
  TRY_ASSIGN(const auto known, registry_->size_of(sha256_of(manifest_json), nullptr));
  TRY_ASSIGN(const BlobRef manifest,
             registry_->put(kManifestType, [&](const ByteSink& out) { return out(manifest_json); }));
  TRY(registry_->name(manifest, names_of(target)));
  if (!known) {
    doing.tally.pushed_manifests += 1;
    doing.tally.pushed_bytes += config_blob.size + manifest.size;
  }
  Done done;
  done.artifacts.push_back({"image", config_blob.digest.hex(), manifest.digest.hex(), manifest.size,
                            cat("oci:", names_of(target).front(), "@sha256:", manifest.digest.hex())});
  done.artifacts.push_back({"config", config_blob.digest.hex(), config_blob.digest.hex(), config_blob.size,
                            cat("oci:sha256:", config_blob.digest.hex())});
  for (const Layer& each : layers)
    done.artifacts.push_back({"layer", each.diff_id.hex(), each.blob.digest.hex(), each.blob.size,
                              cat("oci:sha256:", each.blob.digest.hex())});
  done.artifacts.insert(done.artifacts.end(), from_code.begin(), from_code.end());
  std::uint64_t bytes = 0;
  for (const Layer& each : layers) bytes += each.blob.size;
  done.note = cat(plural(new_layers, "new layer"), " of ", layers.size(), ", ", human_bytes(bytes));
  return done;
}

Result<bool> ImageRule::holds(const Subject& subject, const Record& record, bool current, Looks& looks) {
  const Artifact* image = find_role(record.artifacts, "image");
  const std::optional<Sha256> manifest = image == nullptr ? std::nullopt : Sha256::parse(image->sha256);
  if (!manifest) return false;
  for (const Artifact& artifact : record.artifacts) {
    if (artifact.role != "image" && artifact.role != "config" && artifact.role != "layer") continue;
    const std::optional<Sha256> blob = Sha256::parse(artifact.sha256);
    if (!blob) return false;
    TRY_ASSIGN(const std::optional<std::uint64_t> there, registry_->size_of(*blob, &looks));
    if (there != artifact.size) return false;
  }
  if (!current) return true;
  for (const std::string& name : names_of(subject.target())) {
    TRY_ASSIGN(const std::optional<BlobRef> named, registry_->find(name, &looks));
    if (!named || named->digest != *manifest) return false;
  }
  return true;
}

Result<void> ImageRule::restore(const Subject& subject, const Record& record) {
  const Artifact* image = find_role(record.artifacts, "image");
  const std::optional<Sha256> manifest = image == nullptr ? std::nullopt : Sha256::parse(image->sha256);
  CHECK(manifest.has_value());
  return registry_->name({kManifestType, *manifest, image->size}, names_of(subject.target()));
}

}  // namespace trainmake
