#include "rules/image/image_rule.h"

#include <algorithm>

#include "engine/base/file_lock.h"
#include "engine/base/text.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

constexpr std::string_view kCodeFolder = "/code";  // of the default contract
constexpr std::string_view kArchitecture =
#if defined(__aarch64__)
    "arm64";
#else
    "amd64";
#endif

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
          {"registry", Shape::kString,
           "Where it goes, as TRAINSPACE.lua calls it; else `default_registry`, else the layout"},
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

std::vector<std::string> tags_of(const Target& target) {
  std::vector<std::string> tags = target.strings("tags");
  if (tags.empty()) tags.emplace_back("latest");
  return tags;
}

// `url` of a registry: scheme, host with its port, and a path that all its repositories share.
struct RegistryUrl {
  std::string scheme, host, path;
};

Result<RegistryUrl> registry_url(const Service& service) {
  RegistryUrl parts;
  std::string rest = *service.text("url");
  if (const std::size_t scheme = rest.find("://"); scheme != std::string::npos) {
    parts.scheme = rest.substr(0, scheme);
    rest = rest.substr(scheme + 3);
  }
  while (rest.ends_with('/')) rest.pop_back();
  const std::size_t slash = rest.find('/');
  parts.host = rest.substr(0, slash);
  if (slash != std::string::npos) parts.path = rest.substr(slash + 1);
  const bool fine = parts.scheme.empty() || parts.scheme == "http" || parts.scheme == "https";
  if (fine && !parts.host.empty() && parts.host.find('@') == std::string::npos) return parts;
  return fail(
      user_error(
          cat("Registry ", quoted(service.name), " has a `url` that is none: ", quoted(*service.text("url"))),
          "Write it as `registry.example.com/team`; logins are `docker login`'s, not the url's")
          .at(service.where));
}

// What this version cannot build is told as that, not built as something else.
Result<void> check_supported(const Target& target) {
  if (target.find("base")->string() == nullptr)
    return fail(
        user_error("Images of several variants are not built yet", "Write one base, as `base = \"scratch\"`")
            .at(target.place_of("base")));
  for (const char* name : {"run", "dockerfile", "variants"}) {
    if (target.find(name) != nullptr)
      return fail(user_error(cat("`", name, "` is not built yet")).at(target.place_of(name)));
  }
  return {};
}

}  // namespace

struct ImageRule::FileLayer {
  std::string dest;
  Listing files;
  std::string identity;
};

ImageRule::ImageRule(const ImageServices& services)
    : services_(services),
      store_(ImageStore::of(services.host, services.workspace)),
      layout_(services.registries.layout(services.host, services.workspace)),
      layers_(services.host, services.workspace.cache, services.blobs, store_) {}

Registry* ImageRule::remote(const std::string& host, const std::string& url, bool insecure) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Registry>& registry = remotes_[cat(host, " ", url, insecure ? " insecure" : "")];
  if (!registry) registry = services_.registries.remote(services_.host, host, url, insecure, services_.tally);
  return registry.get();
}

Result<std::optional<Reference>> ImageRule::base_of(const Target& target) {
  const std::string& text = *target.find("base")->string();
  if (text == "scratch") return std::optional<Reference>();
  Result<Reference> reference = parse_reference(text);
  if (!reference) return fail(std::move(reference).error().at(target.place_of("base")));
  return std::optional(*std::move(reference));
}

Result<BaseLock> ImageRule::lock(Looks* looks) {
  FileSystem& files = services_.host.files;
  const std::string path = services_.workspace.path(kLockFile);
  TRY_ASSIGN(const Stat stat, files.look(path, Links::kFollow));
  if (looks != nullptr) looks->files.push_back({kLockFile, stat, std::nullopt, Links::kFollow});
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, path));
  return text ? parse_lock(*text) : BaseLock();
}

// As TRAINSPACE.lua says how it is reached, if it does.
Result<Registry*> ImageRule::registry_at(const std::string& host) {
  for (const std::string& name : services_.space.names("registry")) {
    const Service& service = *services_.space.find("registry", name);
    TRY_ASSIGN(const RegistryUrl url, registry_url(service));
    if (url.host == host) return remote_of(service, url.scheme, url.host);
  }
  return remote(host, "", false);
}

std::vector<std::pair<Error, Label>> ImageRule::settle(const Graph& graph, const EventSink& events) {
  std::vector<std::pair<Error, Label>> errors;
  std::map<std::string, const Target*> bases;
  for (const Target& target : graph.targets) {
    if (target.label.kind != "image" || target.find("base")->string() == nullptr) continue;
    const auto reference = base_of(target);  // what is wrong with it is told when it is described
    if (reference && *reference) bases.emplace((*reference)->text(), &target);
  }
  if (bases.empty()) return errors;
  if (Result<void> settled = settle_bases(bases, events, errors); !settled)
    errors.emplace_back(std::move(settled).error(), bases.begin()->second->label);
  return errors;
}

Result<void> ImageRule::settle_bases(const std::map<std::string, const Target*>& bases,
                                     const EventSink& events, std::vector<std::pair<Error, Label>>& errors) {
  const std::string architecture(kArchitecture);
  std::map<std::string, Sha256> found;
  TRY_ASSIGN(BaseLock known, lock(nullptr));
  for (const auto& [text, target] : bases) {
    if (known.find(text, architecture)) continue;
    events(Message{target->label, cat("Asking what ", quoted(text), " stands for")});
    TRY_ASSIGN(const std::optional<Reference> reference, base_of(*target));
    TRY_ASSIGN(Registry * registry, registry_at(reference->registry));
    Result<Sha256> digest = resolve_base(*registry, *reference, architecture, {});
    if (digest)
      found.emplace(text, *digest);
    else
      errors.emplace_back(std::move(digest).error().at(target->place_of("base")), target->label);
  }
  if (found.empty()) return {};
  TRY_ASSIGN(const std::optional<FileLock> alone,
             wait_for_lock(services_.host, path_join(services_.workspace.cache, "bases.lock"),
                           FileLock::Mode::kExclusive, {}));
  TRY_ASSIGN(known, lock(nullptr));  // another trainmake may have written it meanwhile
  for (const auto& [text, digest] : found) known.bases[text].emplace(architecture, digest);
  return write_file(services_.host.files, services_.workspace.path(kLockFile), to_text(known));
}

Result<std::optional<Base>> ImageRule::base(const Target& target, const std::stop_token& stop) {
  TRY_ASSIGN(const std::optional<Reference> reference, base_of(target));
  if (!reference) return std::optional<Base>();
  TRY_ASSIGN(const BaseLock known, lock(nullptr));
  const std::string architecture(kArchitecture);
  const std::optional<Sha256> digest = known.find(reference->text(), architecture);
  if (!digest)
    return fail(step_error(cat(kLockFile, " has lost ", quoted(reference->text())), "Run it again")
                    .at(target.place_of("base")));
  TRY_ASSIGN(Registry * registry, registry_at(reference->registry));
  Result<Base> read = read_base(*registry, *reference, *digest, architecture, store_, stop);
  if (!read) return fail(std::move(read).error().at(target.place_of("base")));
  return std::optional(*std::move(read));
}

Registry* ImageRule::remote_of(const Service& service, const std::string& scheme, const std::string& host) {
  const std::string* endpoint = service.text("endpoint");
  const Value* insecure = service.attributes.find("insecure");
  const bool plain = insecure != nullptr && insecure->boolean() != nullptr && *insecure->boolean();
  return remote(host,
                endpoint != nullptr ? *endpoint
                : scheme.empty()    ? ""
                                    : cat(scheme, "://", host),
                plain);
}

Result<ImageRule::Place> ImageRule::place_of(const Target& target) {
  const std::string name = target.string_or("registry", services_.space.default_registry);
  if (name.empty()) return Place{layout_.get(), repository(target), ""};
  const Service* service = services_.space.find("registry", name);
  if (service == nullptr) {
    const std::string meant = did_you_mean(name, services_.space.names("registry"));
    return fail(user_error(cat("There is no registry ", quoted(name)),
                           meant.empty()
                               ? "Registries are declared in TRAINSPACE.lua: `registry \"hub\" { url = "
                                 "\"registry.example.com/team\" }`"
                               : meant)
                    .at(target.place_of("registry")));
  }
  TRY_ASSIGN(const RegistryUrl url, registry_url(*service));
  Place place;
  place.host = url.host;
  place.repository = path_join(url.path, repository(target));
  if (const std::string wrong = wrong_repository(place.repository); !wrong.empty())
    return fail(user_error(cat("Image ", quoted(target.label.text()), " would be ", quoted(place.repository),
                               " in the registry, and that name ", wrong),
                           "Rename the target or its folder")
                    .at(target.where));
  place.registry = remote_of(*service, url.scheme, url.host);
  return place;
}

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
    TRY_ASSIGN(FileSet set, services_.file_sets.read({target.label.folder,
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
  TRY_ASSIGN(const Place place, place_of(target));
  TRY_ASSIGN(const PushedBlobs pushed, PushedBlobs::read(services_.host, store_, place.text()));
  Description description;
  Manifest& manifest = description.manifest;
  if (!place.host.empty()) manifest.add(Section::kAttr, "registry", place.text());
  const auto count = [&](const std::string& tree, const std::string& dest,
                         std::uint64_t bytes) -> Result<void> {
    TRY_ASSIGN(const std::optional<Layer> known, layers_.remembered(tree, dest));
    bool there = known && pushed.has(known->blob.digest);
    if (known && place.host.empty()) {
      TRY_ASSIGN(const std::optional<std::uint64_t> size, store_.size_of(known->blob.digest, nullptr));
      there = size == known->blob.size;
    }
    if (there) return {};
    ++description.work.layers;
    description.work.layer_bytes += bytes;
    return {};
  };
  manifest.add(Section::kPlatform, "architecture", kArchitecture);
  TRY_ASSIGN(const std::optional<Reference> built_on, base_of(target));
  if (!built_on) {
    manifest.add(Section::kBase, "base", digest_of(*target.find("base")));
  } else {
    TRY_ASSIGN(const BaseLock known, lock(&description.looks));
    const std::optional<Sha256> digest = known.find(built_on->text(), std::string(kArchitecture));
    manifest.add(Section::kBase, "base", digest ? digest->hex() : "unknown");
    if (!digest) description.certain = false;
  }
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
    TRY(count(files[i].identity, files[i].dest, 0));
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
    TRY(count(tree->identity, std::string(kCodeFolder), tree->size));
  }
  manifest.seal();
  description.carry = std::make_shared<const std::vector<FileLayer>>(files);
  return description;
}

// The files of `code`, as they were when it ran.
Result<Listing> ImageRule::snapshot(const Artifact& tree, const Label& code) {
  const std::optional<Sha256> digest = Sha256::parse(tree.sha256);
  CHECK(digest.has_value());
  TRY_ASSIGN(const std::optional<std::string> bytes, services_.blobs.read(*digest));
  std::optional<Listing> listing = bytes ? decode_listing(*bytes) : std::nullopt;
  if (!listing)
    return fail(step_error(cat("The snapshot of ", quoted(code.text()), " is damaged and was removed"),
                           "Run again: it is made anew"));
  return *std::move(listing);
}

// Whether it need not be built: it lies in the store or, for another registry, there.
Result<bool> ImageRule::is_at_hand(const Layer& layer, const Place& place, const PushedBlobs& pushed,
                                   const std::stop_token& stop) {
  TRY_ASSIGN(const std::optional<std::uint64_t> here, store_.size_of(layer.blob.digest, nullptr));
  if (here == layer.blob.size) return true;
  if (place.host.empty()) return false;
  if (pushed.has(layer.blob.digest)) return true;
  TRY_ASSIGN(const std::optional<std::uint64_t> there,
             place.registry->size_of(place.repository, layer.blob.digest, nullptr, stop));
  return there.has_value();
}

Result<ImageRule::MadeLayer> ImageRule::layer(const LayerSource& source, const Place& place,
                                              const PushedBlobs& pushed, const Doing& doing) {
  TRY_ASSIGN(const std::optional<Layer> known, layers_.remembered(source.tree, source.dest));
  bool at_hand = false;
  if (known) {
    TRY_ASSIGN(at_hand, is_at_hand(*known, place, pushed, doing.stop));
  }
  if (at_hand && !doing.afresh) return MadeLayer{*known, false};
  TRY_ASSIGN(const Layer built, layers_.build(source, doing.stop));
  return MadeLayer{built, !at_hand || known->blob.digest != built.blob.digest};
}

Result<Done> ImageRule::execute(const Subject& subject, const Description& description, const Doing& doing) {
  const Target& target = subject.target();
  TRY_ASSIGN(const Place place, place_of(target));
  TRY_ASSIGN(PushedBlobs pushed, PushedBlobs::read(services_.host, store_, place.text()));
  if (doing.afresh) pushed.forget();
  std::vector<Layer> layers;
  std::uint64_t new_layers = 0;
  std::uint64_t new_bytes = 0;
  TRY_ASSIGN(const std::optional<Base> below, base(target, doing.stop));
  if (below) layers = below->layers;
  const auto add = [&](MadeLayer made) {
    new_layers += made.is_new ? 1 : 0;
    new_bytes += made.is_new ? made.layer.blob.size : 0;
    layers.push_back(std::move(made.layer));
  };
  Artifacts from_code;
  const auto& files = std::any_cast<const std::shared_ptr<const std::vector<FileLayer>>&>(description.carry);
  for (const FileLayer& extra : *files) {
    const auto stored = [&] { return services_.file_sets.store(extra.files, services_.blobs, doing.stop); };
    TRY_ASSIGN(MadeLayer made, layer({extra.identity, extra.dest, stored}, place, pushed, doing));
    add(std::move(made));
  }
  for (const Dependency& need : target.needs) {
    const Artifacts* code = subject.inputs.artifacts(need.target);
    CHECK(code != nullptr);
    const Artifact* tree = find_role(*code, "tree");
    const auto listed = [&] { return snapshot(*tree, subject.graph[need.target].label); };
    TRY_ASSIGN(MadeLayer made,
               layer({tree->identity, std::string(kCodeFolder), listed}, place, pushed, doing));
    add(std::move(made));
    from_code.push_back({"code", tree->identity, tree->sha256, tree->size, tree->address});
  }
  const ImageConfig config{std::string(kArchitecture),      map_of(target.fields("env")),
                           target.strings("entrypoint"),    target.strings("cmd"),
                           target.string_or("workdir", ""), target.string_or("user", ""),
                           map_of(target.fields("labels"))};
  const std::string config_json = render_config(config, layers, below ? below->config : "");
  TRY_ASSIGN(const BlobRef config_blob, store_.make(kConfigType, config_json));
  const Document document{kManifestType, render_manifest(config_blob, layers)};
  const BlobRef manifest = document.ref();
  std::vector<SentLayer> sent;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    sent.push_back({layers[i].blob});
    if (below && i < below->layers.size())
      sent.back().from = below->registry, sent.back().repository = below->repository;
  }
  if (place.host.empty()) {
    for (const SentLayer& layer : sent) {
      TRY_ASSIGN(const auto here, store_.size_of(layer.blob.digest, nullptr));
      TRY(fetch(layer, store_, doing.stop));
      if (!here) ++new_layers, new_bytes += layer.blob.size;
    }
    TRY_ASSIGN(const auto known, store_.size_of(manifest.digest, nullptr));
    TRY(place.registry->put_manifest(place.repository, document, tags_of(target), doing.stop));
    doing.tally.pushed_layers += new_layers;
    doing.tally.pushed_bytes += new_bytes;
    if (!known) {
      doing.tally.pushed_manifests += 1;
      doing.tally.pushed_bytes += config_blob.size + manifest.size;
    }
  } else {
    TRY(store_.make(kManifestType, document.bytes));
    const Publication what{*place.registry, store_,      place.repository, tags_of(target),
                           std::move(sent), config_blob, document};
    TRY(publish(what, pushed, doing.tally, doing.stop));
  }
  const std::string address = place.host.empty() ? "oci:" : cat("registry:", place.host, "/");
  Done done;
  done.artifacts.push_back(
      {"image", config_blob.digest.hex(), manifest.digest.hex(), manifest.size,
       cat(address, place.repository, ":", tags_of(target).front(), "@sha256:", manifest.digest.hex())});
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

// Another registry is not asked what we put there, while nothing changed.
Result<bool> ImageRule::holds(const Subject& subject, const Record& record, bool current, Looks& looks) {
  const Artifact* image = find_role(record.artifacts, "image");
  const std::optional<Sha256> manifest = image == nullptr ? std::nullopt : Sha256::parse(image->sha256);
  if (!manifest) return false;
  TRY_ASSIGN(const Place place, place_of(subject.target()));
  if (!place.host.empty()) {
    if (current) return true;
    TRY_ASSIGN(const PushedBlobs pushed, PushedBlobs::read(services_.host, store_, place.text()));
    if (pushed.has(*manifest)) return true;
    TRY_ASSIGN(const std::optional<BlobRef> there,
               place.registry->find({place.repository, digest_text(*manifest)}, nullptr, {}));
    return there.has_value();
  }
  for (const Artifact& artifact : record.artifacts) {
    if (artifact.role != "image" && artifact.role != "config" && artifact.role != "layer") continue;
    const std::optional<Sha256> blob = Sha256::parse(artifact.sha256);
    if (!blob) return false;
    TRY_ASSIGN(const std::optional<std::uint64_t> there, store_.size_of(*blob, &looks));
    if (there != artifact.size) return false;
  }
  if (!current) return true;
  for (const std::string& tag : tags_of(subject.target())) {
    TRY_ASSIGN(const std::optional<BlobRef> named, place.registry->find({place.repository, tag}, &looks, {}));
    if (!named || named->digest != *manifest) return false;
  }
  return true;
}

Result<void> ImageRule::restore(const Subject& subject, const Record& record) {
  const Artifact* image = find_role(record.artifacts, "image");
  const std::optional<Sha256> digest = image == nullptr ? std::nullopt : Sha256::parse(image->sha256);
  CHECK(digest.has_value());
  TRY_ASSIGN(const Place place, place_of(subject.target()));
  Document manifest{kManifestType, ""};
  TRY_ASSIGN(const std::optional<std::string> kept, store_.read(*digest));
  if (kept) {
    manifest.bytes = *kept;
  } else {
    TRY(place.registry->read(place.repository, {kManifestType, *digest, image->size},
                             [&](std::string_view bytes) {
                               manifest.bytes += bytes;
                               return Result<void>();
                             },
                             {}));
  }
  Result<void> put = place.registry->put_manifest(place.repository, manifest, tags_of(subject.target()), {});
  if (put || place.host.empty()) return put;
  return fail(std::move(put).error().advise(
      "If the registry has lost it, `--force` on the image sends all of it again"));
}

}  // namespace trainmake
