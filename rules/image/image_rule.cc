#include "rules/image/image_rule.h"

#include <algorithm>
#include <set>

#include "engine/base/secrets.h"
#include "engine/base/text.h"
#include "engine/model/secrets_untold.h"
#include "rules/image/documents.h"
#include "rules/image/ingredients.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

std::map<std::string, std::string> map_of(const Fields& fields) {
  std::map<std::string, std::string> map;
  for (const auto& [name, field] : fields) map[name] = scalar_text(field);
  return map;
}

// As reasons call what an edition is built on.
std::string base_name(const Edition& edition, bool alone) {
  return cat("base", edition.variant.empty() ? "" : ".", edition.variant,
             alone ? "" : cat(" for ", edition.architecture));
}

// As what is done with it.
Digest128 digest_as(std::string_view what, const ListedFile& file) {
  return Hasher()
      .field(what)
      .field(file.key)
      .number(file.mode)
      .field(file.link_target)
      .number(file.content.high)
      .number(file.content.low)
      .finish();
}

std::string from_project(const ListedFile& file, const Target& target) {
  return path_below(file.source, target.label.folder).value_or(file.source);
}

// Equal when every edition is what it was, whatever carries it.
std::string identity_of(const std::vector<MadeImage>& images) {
  if (images.size() == 1) return images.front().config.digest.hex();
  std::string all;
  for (const MadeImage& made : images) all += cat(made.edition.name(), " ", made.config.digest.hex(), "\n");
  return sha256_of(all).hex();
}

Artifacts artifacts_of(const std::vector<MadeImage>& images, const Delivered& delivered,
                       const ImagePlace& place, const std::vector<std::string>& tags) {
  const auto oci = [](const Sha256& digest) { return cat("oci:", digest_text(digest)); };
  Artifacts artifacts;
  const auto add = [&](const std::string& role, const std::string& identity, const BlobRef& blob,
                       const std::string& address) {
    artifacts.push_back({role, identity, blob.digest.hex(), blob.size, address});
  };
  add("image", identity_of(images), delivered.image, place.address(delivered.image.digest, tags.front()));
  for (const auto& [variant, blob] : delivered.variants)
    add(cat(kVariantRole, variant), blob.digest.hex(), blob,
        place.address(blob.digest, tags_of_variant(tags, variant).front()));
  for (const MadeImage& made : images) {
    const BlobRef manifest = made.manifest.ref();
    add(manifest_role(made.edition.name()), made.config.digest.hex(), manifest, oci(manifest.digest));
    add("config", made.config.digest.hex(), made.config, oci(made.config.digest));
    for (const auto& [layer, from, repository] : made.layers)
      add("layer", layer.diff_id.hex(), layer.blob, oci(layer.blob.digest));
  }
  return artifacts;
}

std::uint64_t sum_of(const std::map<Sha256, std::uint64_t>& sizes) {
  std::uint64_t sum = 0;
  for (const auto& [digest, size] : sizes) sum += size;
  return sum;
}

// `1 new layer of 3, 925 B of 1.5 GiB`
std::string note_of(const std::vector<MadeImage>& images, const std::map<Sha256, std::uint64_t>& new_layers) {
  std::map<Sha256, std::uint64_t> all;
  for (const MadeImage& made : images) {
    for (const PlacedLayer& placed : made.layers)
      all.emplace(placed.layer.blob.digest, placed.layer.blob.size);
  }
  const std::uint64_t made = sum_of(new_layers), bytes = sum_of(all);
  return cat(plural(new_layers.size(), "new layer"), " of ", all.size(), ", ",
             made < bytes ? cat(human_bytes(made), " of ") : "", human_bytes(bytes),
             images.size() > 1 ? cat(", in ", images.size(), " images") : "");
}

// Lines of a manifest are sorted, and these make another image in another order.
Digest128 order_of(const std::vector<Edition>& editions) {
  Hasher hasher;
  for (const Edition& edition : editions) hasher.field(edition.name());
  return hasher.finish();
}

Digest128 order_of(const std::vector<CodeTree>& codes) {
  Hasher hasher;
  for (const CodeTree& code : codes) hasher.field(code.target->label.text());
  return hasher.finish();
}

// What jobs run is the image's own code, else that of the image that it is built on.
void add_code(const Subject& image, Artifacts& artifacts) {
  const std::vector<CodeTree> own = code_trees(image);
  for (const CodeTree& code : own)
    artifacts.push_back({"code", code.artifact->identity, code.artifact->sha256, code.artifact->size,
                         code.artifact->address});
  for (const Dependency& need : image.target().needs) {
    if (!own.empty() || need.attribute != "base") continue;
    for (const Artifact& artifact : *image.inputs.artifacts(need.target)) {
      if (artifact.role == "code") artifacts.push_back(artifact);
    }
    return;
  }
}

// By whoever asks, or as what such an image is built on.
bool is_wanted_itself(const Graph& graph, TargetId image) {
  if (std::find(graph.asked.begin(), graph.asked.end(), image) != graph.asked.end()) return true;
  for (TargetId id = image + 1; id < graph.targets.size(); ++id) {  // those that need it come later
    const std::vector<Dependency>& needs = graph[id].needs;
    const bool is_built_on_it = std::any_of(needs.begin(), needs.end(), [&](const Dependency& need) {
      return need.target == image && need.attribute == "base";
    });
    if (is_built_on_it && is_wanted_itself(graph, id)) return true;
  }
  return false;
}

constexpr const char* kMade = "made";  // where that is not what an image is

// Where jobs run without their images, which are not made then.
Description describe_code(const Subject& image) {
  Description description;
  description.manifest.add(Section::kAttr, kMade, "code alone");
  for (const Dependency& need : image.target().needs) {
    const Artifacts* artifacts = image.inputs.artifacts(need.target);
    const Artifact* made =
        artifacts == nullptr ? nullptr : find_role(*artifacts, need.attribute == "code" ? "tree" : "image");
    if (made == nullptr) description.certain = false;
    description.manifest.add(Section::kUpstream, image.graph[need.target].label.text(),
                             made == nullptr ? "unknown" : made->identity);
  }
  description.manifest.seal();
  return description;
}

// What its tags point at, with the tags, of an earlier result.
std::vector<std::pair<const Artifact*, std::vector<std::string>>> tagged(const Artifacts& artifacts,
                                                                         const Target& image) {
  std::vector<std::pair<const Artifact*, std::vector<std::string>>> found;
  for (const Artifact& artifact : artifacts) {
    if (artifact.role == "image") found.emplace_back(&artifact, tags_of(image));
    if (artifact.role.starts_with(kVariantRole))
      found.emplace_back(&artifact,
                         tags_of_variant(tags_of(image), artifact.role.substr(kVariantRole.size())));
  }
  return found;
}

}  // namespace

bool is_of_code_alone(const Manifest& image) {
  return std::any_of(image.lines().begin(), image.lines().end(), [](const ManifestLine& line) {
    return line.section == Section::kAttr && line.name == kMade;
  });
}

ImageRule::ImageRule(const ImageServices& services)
    : services_(services),
      store_(ImageStore::of(services.host, services.workspace)),
      places_(services),
      bases_(services, places_, store_),
      layers_(services.host, services.workspace, services.blobs, store_),
      making_(services.host, services.workspace.cache),
      built_bases_(services, store_, places_.layout(), making_),
      steps_(services, store_, making_) {}

bool ImageRule::is_code_alone(const Graph& graph, TargetId image) const {
  return services_.code_alone && !is_wanted_itself(graph, image);
}

// Told before anything is fetched for another variant, in which no job of this run would be.
std::vector<std::pair<Error, Label>> ImageRule::lacking_variant(const Graph& graph) const {
  std::vector<std::pair<Error, Label>> errors;
  if (services_.variant.empty()) return errors;
  std::set<TargetId> images;
  for (const Target& target : graph.targets) {
    for (const Dependency& need : target.needs) {
      if (target.label.kind == "job" && need.attribute == "image") images.insert(need.target);
    }
  }
  for (const TargetId id : images) {
    const Target& image = graph[id];
    const auto editions = editions_of(image);  // what is wrong with them is told when it is described
    if (!editions) continue;
    const auto is_fine = [&](const Edition& edition) {
      return edition.variant.empty() || edition.variant == services_.variant;
    };
    if (std::any_of(editions->begin(), editions->end(), is_fine)) continue;
    const bool is_chosen = image.find("variants") != nullptr;
    const bool is_cpu = services_.variant == "cpu";
    errors.emplace_back(
        user_error(
            cat(quoted(image.label.shortest_from(services_.workspace.here)), " has no variant ",
                quoted(services_.variant)),
            cat("It has ", quoted(editions->front().variant), ". Give it `base = { ", services_.variant,
                " = \"...\", ... }`", is_cpu ? ", or `cpu = true` in its `uai.base`" : "",
                is_chosen ? cat(", and name ", quoted(services_.variant), " in its `variants`") : "",
                "; `trainmake run --local` without `--container` needs no image"))
            .at(image.place_of(is_chosen ? "variants" : "base")),
        image.label);
  }
  return errors;
}

std::vector<std::pair<Error, Label>> ImageRule::before_run(const Graph& graph, const EventSink& events) {
  is_run_ = true;
  if (auto errors = lacking_variant(graph); !errors.empty()) return errors;
  bool makes_any = !services_.code_alone;
  for (TargetId id = 0; id < graph.targets.size() && !makes_any; ++id)
    makes_any = graph[id].label.kind == "image" && is_wanted_itself(graph, id);
  if (!makes_any) return {};
  const auto job = std::find_if(graph.targets.begin(), graph.targets.end(),
                                [](const Target& target) { return target.label.kind == "job"; });
  const bool asks_for_jobs = job != graph.targets.end() && services_.jobs_ready;
  if (asks_for_jobs && bases_.lacks_any(graph).value_or(false)) {
    if (auto ready = services_.jobs_ready(); !ready)
      return {{std::move(ready).error().at(job->where), job->label}};
  }
  std::vector<PinnedBase> pinned;
  const Places::Listening listening = places_.listen([&](std::string why) {
    events(Message{Label(), std::move(why)});
  });
  return bases_.pin(graph, Bases::Ask::kUnpinned, events, pinned);
}

// Adds to `work` what a tree's layer would cost.
Result<void> ImageRule::count(const LayerSource& source, const ImagePlace& place, const PushedBlobs& pushed,
                              Work& work) {
  TRY_ASSIGN(const std::optional<Layer> known, layers_.remembered(source.key));
  bool there = false;
  if (known) {
    TRY_ASSIGN(there, is_there(*known, place, pushed, store_));
  }
  if (there) return {};
  ++work.layers;
  work.layer_bytes += source.bytes;
  return {};
}

// Code is gathered and layers are made before there is anything to send.
void ImageRule::expect(const Subject& subject, const Description& description) {
  const Result<ImagePlace> place = places_.of(subject.target());
  if (!place || place->is_layout() || description.work.layers == 0 || getting_ready_.joinable()) return;
  getting_ready_ = services_.host.http.get_ready();
}

Result<Description> ImageRule::describe(const Subject& subject) {
  const Target& target = subject.target();
  if (is_code_alone(subject.graph, subject.id)) return describe_code(subject);
  TRY(check_secrets_untold(services_.host.environment, target));
  TRY_ASSIGN(const std::vector<Edition> editions,
             editions_for(target, services_.cpu_stays, services_.variant));
  TRY(check_steps(target, editions));
  TRY_ASSIGN(const ImagePlace place, places_.of(target));
  TRY_ASSIGN(const PushedBlobs pushed, PushedBlobs::read(services_.host, store_, place));
  Description description;
  Manifest& manifest = description.manifest;
  if (!place.is_layout()) manifest.add(Section::kAttr, "registry", place.text());
  if (!place.endpoint.empty()) manifest.add(Section::kAttr, "registry.endpoint", place.endpoint);
  manifest.add(Section::kAttr, "compression", name_of(place.compression));
  TRY_ASSIGN(FileTree context, dockerfile_context(services_, target, description.looks));
  for (const ListedFile& file : context.files)
    manifest.add(Section::kData, from_project(file, target), digest_as("dockerfile", file));
  const std::vector<std::string> architectures = target.strings("architecture");
  if (editions.size() > 1) manifest.add(Section::kAttr, "variants", order_of(editions));
  for (const Edition& edition : editions) {
    const std::string name = base_name(edition, architectures.size() < 2);
    std::optional<std::string> identity = context.identity;
    if (!edition.base.empty()) {
      TRY_ASSIGN(identity, bases_.identity(subject, edition, description.looks));
    }
    if (!edition.base.empty()) manifest.add(Section::kBase, name, identity.value_or("unknown"));
    manifest.add(Section::kPlatform, cat(name, ".architecture"), edition.architecture);
    if (!identity) description.certain = false;
  }
  for (const char* name : {"dockerfile", "run", "network", "secrets", "env", "workdir", "entrypoint", "cmd",
                           "user", "labels", "tags"}) {
    if (const Value* value = target.find(name)) manifest.add(Section::kAttr, name, digest_of(*value));
  }
  TRY_ASSIGN(FileTree inputs, step_inputs(services_, target, description.looks));
  for (const ListedFile& file : inputs.files) {  // a Dockerfile's are among its context
    if (context.files.empty())
      manifest.add(Section::kData, from_project(file, target), digest_as("inputs", file));
  }
  const bool has_steps = !target.strings("run").empty();
  for (const Edition& edition : editions) {
    std::optional<Base> below;
    if (edition.base.empty()) {
      TRY_ASSIGN(below, built_bases_.kept(target, edition, context));
      if (!below) ++description.work.layers;  // one or more
    } else {
      TRY_ASSIGN(below, bases_.kept(subject, edition));
    }
    if (below) TRY(count_carried(*below, place, pushed, description.work));
    if (has_steps) TRY(steps_.count(target, edition, below, inputs, place, pushed, description.work));
  }
  TRY_ASSIGN(FileTrees files, file_trees(services_, target, description.looks));
  const bool has_foreign_base = std::any_of(editions.begin(), editions.end(), [&](const Edition& edition) {
    return edition.base != "scratch" && base_need(target, edition) == nullptr;
  });
  if (has_foreign_base) TRY(check_places(target, files));
  for (std::size_t i = 0; i < files.size(); ++i) {
    manifest.add(Section::kAttr, cat("files[", i + 1, "].dest"), files[i].dest);
    for (const ListedFile& file : files[i].files) {
      manifest.add(Section::kData, from_project(file, target), digest_as(cat("files ", i), file));
    }
    TRY(count(source_of(files[i], place.compression), place, pushed, description.work));
  }
  TRY(check_paths(services_, subject, files));
  const std::vector<CodeTree> codes = code_trees(subject);
  if (!codes.empty() && services_.code_folder != ImageServices::kUsualCode)
    manifest.add(Section::kAttr, "code.folder", services_.code_folder);
  if (codes.size() > 1) manifest.add(Section::kAttr, "code", order_of(codes));
  for (const CodeTree& code : codes) {
    const std::string& name = code.target->label.text();
    if (code.artifact == nullptr) {
      description.certain = false;
      manifest.add(Section::kUpstream, name, "unknown");
      ++description.work.layers;
      continue;
    }
    manifest.add(Section::kUpstream, name, code.artifact->identity);
    TRY(count(source_of(services_, code, place.compression), place, pushed, description.work));
  }
  manifest.seal();
  description.carry = std::make_shared<const Ingredients>(
      Ingredients{std::move(files), std::move(inputs), std::move(context)});
  return description;
}

// They are of who runs it: a plan, which others make too, has no need of them; nor has what is remembered.
bool ImageRule::says_where(const ManifestLine& line) const {
  return (line.section == Section::kAttr && line.name == kMade) || Rule::says_where(line);
}

Result<void> ImageRule::preflight(const Subject& subject) {
  const Target& target = subject.target();
  if (!is_run_ || is_code_alone(subject.graph, subject.id)) return {};
  auto secrets = secrets_of(services_.host.environment, target.strings("secrets"),
                            target.label.shortest_from(services_.workspace.here));
  if (secrets) return {};
  TRY_ASSIGN(const bool needs_them, runs_steps(subject));
  return needs_them ? fail(std::move(secrets).error().at(target.place_of("secrets"))) : Result<void>();
}

// As far as it is known on what.
Result<bool> ImageRule::runs_steps(const Subject& subject) {
  const Target& target = subject.target();
  Looks looks;
  TRY_ASSIGN(const std::vector<Edition> editions,
             editions_for(target, services_.cpu_stays, services_.variant));
  TRY_ASSIGN(const ImagePlace place, places_.of(target));
  TRY_ASSIGN(const FileTree context, dockerfile_context(services_, target, looks));
  TRY_ASSIGN(const FileTree inputs, step_inputs(services_, target, looks));
  for (const Edition& edition : editions) {
    const bool is_built = edition.base.empty();
    TRY_ASSIGN(const std::optional<Base> below,
               is_built ? built_bases_.kept(target, edition, context) : bases_.kept(subject, edition));
    if (!below && is_built) return true;
    if (!below) continue;
    TRY_ASSIGN(const bool known, steps_.are_remembered(target, edition, *below, inputs, place));
    if (!known) return true;
  }
  return false;
}

// Adds to `work` those of a base that have to come from elsewhere: its own registry mounts them.
Result<void> ImageRule::count_carried(const Base& below, const ImagePlace& place, const PushedBlobs& pushed,
                                      Work& work) {
  for (const PlacedLayer& placed : below.layers) {
    if (!place.is_layout() && placed.from != nullptr && placed.from->host() == place.host) continue;
    TRY_ASSIGN(const bool there, is_there(placed.layer, place, pushed, store_));
    if (there) continue;
    ++work.layers;
    work.layer_bytes += placed.layer.blob.size;
  }
  return {};
}

Result<std::optional<Layer>> ImageRule::at_hand(const LayerSource& source, const Delivery& delivery) {
  TRY_ASSIGN(std::optional<Layer> known, layers_.remembered(source.key));
  if (!known) return known;
  TRY_ASSIGN(const bool there, is_at_hand(*known, delivery));
  return there ? std::move(known) : std::nullopt;
}

Result<Layer> ImageRule::layer(const LayerSource& source, const Target& target, bool afresh,
                               Delivery& delivery) {
  TRY_ASSIGN(std::optional<Layer> known, at_hand(source, delivery));
  if (known && !afresh) return *std::move(known);
  const std::string memo = layers_.memo_path(source.key);
  TRY_ASSIGN(const FileLock alone, making_.hold(memo, delivery.stop, nullptr));
  TRY_ASSIGN(known, at_hand(source, delivery));
  if (known && (!afresh || making_.has_made(memo))) return *std::move(known);
  TRY_ASSIGN(const Layer built, build(source, target, delivery));
  if (afresh) making_.add(memo);
  return built;
}

// Whether a repository may lack what we make: one that we have sent to, or that has no image of that tag.
Result<bool> ImageRule::may_lack(const ImagePlace& place, const Target& target, const Delivery& delivery) {
  if (!delivery.pushed.empty()) return true;
  TRY_ASSIGN(const std::optional<BlobRef> there,
             place.registry->find({place.repository, tags_of(target).front()}, nullptr, delivery.stop));
  return !there;
}

// A large one is sent to another registry while it is made.
Result<Layer> ImageRule::build(LayerSource source, const Target& target, Delivery& delivery) {
  const ImagePlace& place = delivery.place;
  source.packed = [&](std::uint64_t bytes) {
    delivery.progress("packing", std::min(bytes, source.bytes), source.bytes);
  };
  std::unique_ptr<Relay> relay;
  // One at a time, since each holds two stretches of its layer.
  bool relays = !place.is_layout() && source.bytes >= kRelayedBytes &&
                (delivery.relays.empty() || delivery.relays.back()->is_over());
  if (relays) {
    TRY_ASSIGN(relays, may_lack(place, target, delivery));
  }
  if (relays) {
    source.also = [&] {
      relay = std::make_unique<Relay>(*place.registry, place.repository, delivery.stop);
      return relay->sink();
    };
  }
  TRY_ASSIGN(const Layer built, layers_.build(source, delivery.stop));
  if (!relay) return built;
  TRY_ASSIGN(const std::optional<std::uint64_t> there,
             place.registry->size_of(place.repository, built.blob.digest, nullptr, delivery.stop));
  if (there) return built;  // it was there: what was sent is dropped
  relay->end(built.blob);
  delivery.relays.push_back(std::move(relay));
  return built;
}

// What all editions have above their bases: what changes least comes first.
Result<std::vector<Layer>> ImageRule::own_layers(const Subject& subject, const Ingredients& ingredients,
                                                 bool afresh, Delivery& delivery) {
  const Compression compression = delivery.place.compression;
  std::vector<Layer> layers;
  for (const FileTree& tree : ingredients.files) {
    TRY_ASSIGN(Layer made, layer(source_of(tree, compression), subject.target(), afresh, delivery));
    layers.push_back(std::move(made));
  }
  for (const CodeTree& tree : code_trees(subject)) {
    TRY_ASSIGN(Layer made,
               layer(source_of(services_, tree, compression), subject.target(), afresh, delivery));
    layers.push_back(std::move(made));
  }
  return layers;
}

Result<MadeImage> ImageRule::make(const Subject& subject, const Edition& edition,
                                  const std::vector<Layer>& own, const Ingredients& ingredients,
                                  const Doing& doing, Delivery& delivery) {
  const Target& target = subject.target();
  std::optional<Base> below;
  if (edition.base.empty()) {
    TRY_ASSIGN(Base built, built_bases_.of(target, edition, ingredients.context, doing));
    below = std::move(built);
  } else {
    TRY_ASSIGN(below, bases_.of(subject, edition, doing.stop));
  }
  MadeImage made{edition, {}, {}, {}};
  if (below) {
    StepRoot root{edition.architecture, below->config, std::move(below->layers), delivery.place.compression};
    TRY(steps_.run(target, ingredients.inputs, root, doing, delivery));
    made.layers = std::move(root.layers);
  }
  for (const Layer& layer : own) made.layers.push_back({layer});
  std::vector<Layer> layers;
  for (const PlacedLayer& placed : made.layers) layers.push_back(placed.layer);
  const ImageConfig config{
      edition.architecture,           map_of(target.fields("env")),    target.strings("entrypoint"),
      target.strings("cmd"),          target.string_or("workdir", ""), target.string_or("user", ""),
      map_of(target.fields("labels"))};
  TRY_ASSIGN(made.config,
             store_.make(kConfigType, render_config(config, layers, below ? below->config : "")));
  made.manifest = {kManifestType, render_manifest(made.config, layers)};
  return made;
}

Result<Done> ImageRule::execute(const Subject& subject, const Description& description, const Doing& doing) {
  const Target& target = subject.target();
  if (is_code_alone(subject.graph, subject.id)) {
    Done done;
    add_code(subject, done.artifacts);
    done.artifacts.push_back({"image", cat(kCodeAlone, description.manifest.fingerprint().hex()), "", 0, ""});
    done.note = "its code alone, which is all that a process needs";
    return done;
  }
  TRY_ASSIGN(const std::vector<Edition> editions,
             editions_for(target, services_.cpu_stays, services_.variant));
  TRY_ASSIGN(const ImagePlace place, places_.of(target));
  TRY_ASSIGN(PushedBlobs pushed, PushedBlobs::read(services_.host, store_, place));
  if (doing.afresh) pushed.forget();
  const auto tell = [&](const std::string& what, std::uint64_t done, std::uint64_t total) {
    doing.events(Progress{target.label, what, done, total, true});
  };
  const Places::Listening listening = places_.listen([&](std::string why) {
    doing.events(Message{target.label, std::move(why)});
  });
  Delivery delivery{place, store_, std::move(pushed), doing.tally, doing.stop, tell};
  const auto ingredients = std::any_cast<std::shared_ptr<const Ingredients>>(description.carry);
  TRY_ASSIGN(const std::vector<Layer> own, own_layers(subject, *ingredients, doing.afresh, delivery));
  std::vector<MadeImage> images;
  for (const Edition& edition : editions) {
    TRY_ASSIGN(MadeImage made, make(subject, edition, own, *ingredients, doing, delivery));
    images.push_back(std::move(made));
  }
  for (const MadeImage& made : images) {
    for (const auto& [layer, from, repository] : made.layers) {
      if (doing.afresh && from != nullptr) TRY(store_.drop_if_damaged(layer.blob.digest, doing.stop));
    }
  }
  const std::vector<std::string> tags = tags_of(target);
  TRY_ASSIGN(const Delivered delivered, deliver(images, tags, delivery));
  if (place.is_layout()) {
    doing.tally.pushed_layers += delivery.new_layers.size();
    doing.tally.pushed_bytes += sum_of(delivery.new_layers);
  }
  Done done;
  done.artifacts = artifacts_of(images, delivered, place, tags);
  add_code(subject, done.artifacts);
  done.note = note_of(images, delivery.new_layers);
  return done;
}

// Another registry is not asked what we put there, while nothing changed.
Result<bool> ImageRule::holds(const Subject& subject, const Record& record, bool current, Looks& looks) {
  if (is_code_alone(subject.graph, subject.id)) return true;
  const Artifact* image = find_role(record.artifacts, "image");
  const std::optional<Sha256> manifest = image == nullptr ? std::nullopt : Sha256::parse(image->sha256);
  if (!manifest) return false;
  TRY_ASSIGN(const ImagePlace place, places_.of(subject.target()));
  if (!place.is_layout()) {
    if (current) return true;
    TRY_ASSIGN(const PushedBlobs pushed, PushedBlobs::read(services_.host, store_, place));
    if (pushed.has(*manifest)) return true;
    TRY_ASSIGN(const std::optional<BlobRef> there,
               place.registry->find({place.repository, digest_text(*manifest)}, nullptr, {}));
    return there.has_value();
  }
  std::set<Sha256> seen;
  for (const Artifact& artifact : record.artifacts) {
    if (artifact.role == "code") continue;
    const std::optional<Sha256> blob = Sha256::parse(artifact.sha256);
    if (!blob) return false;
    if (!seen.insert(*blob).second) continue;
    TRY_ASSIGN(const std::optional<std::uint64_t> there, store_.size_of(*blob, &looks));
    if (there != artifact.size) return false;
  }
  if (!current) return true;
  for (const auto& [artifact, tags] : tagged(record.artifacts, subject.target())) {
    for (const std::string& tag : tags) {
      TRY_ASSIGN(const std::optional<BlobRef> named,
                 place.registry->find({place.repository, tag}, &looks, {}));
      if (!named || named->digest.hex() != artifact->sha256) return false;
    }
  }
  return true;
}

// A document that an earlier result left: here, else where it was sent.
Result<Document> ImageRule::document(const Artifact& artifact, const ImagePlace& place,
                                     const std::stop_token& stop) {
  const std::optional<Sha256> digest = Sha256::parse(artifact.sha256);
  CHECK(digest.has_value());
  Document document;
  TRY_ASSIGN(const std::optional<std::string> kept, store_.read(*digest));
  if (kept) {
    document.bytes = *kept;
  } else {
    TRY_ASSIGN(const std::optional<BlobRef> there,
               place.registry->find({place.repository, digest_text(*digest)}, nullptr, stop));
    if (!there)
      return fail(step_error(cat("The image ", digest_text(*digest), " is neither here nor in ",
                                 quoted(place.text()), " any more"),
                             "`--force` on it makes it again"));
    TRY_ASSIGN(document.bytes, read_document(*place.registry, place.repository, *there, stop));
  }
  document.media_type = type_of_document(document.bytes);
  return document;
}

// Sends what the registry does not have of an earlier result, as far as it lies here.
Result<void> ImageRule::send_again(const Subject& subject, const Record& record, const ImagePlace& place,
                                   const std::stop_token& stop) {
  TRY_ASSIGN(PushedBlobs pushed, PushedBlobs::read(services_.host, store_, place));
  pushed.forget();
  std::map<Sha256, PlacedBlob> of_bases;
  TRY_ASSIGN(const std::vector<Edition> editions,
             editions_for(subject.target(), services_.cpu_stays, services_.variant));
  for (const Edition& edition : editions) {
    if (edition.base.empty()) continue;
    TRY_ASSIGN(const std::optional<Base> below, bases_.of(subject, edition, stop));
    for (const PlacedLayer& layer : below ? below->layers : std::vector<PlacedLayer>())
      of_bases.emplace(layer.layer.blob.digest, layer.blob());
  }
  for (const Artifact& artifact : record.artifacts) {
    if (!artifact.role.starts_with(manifest_role(""))) continue;
    TRY_ASSIGN(Document found, document(artifact, place, stop));
    TRY_ASSIGN(const ImageManifest manifest, parse_image_manifest(found.bytes));
    std::vector<PlacedBlob> layers;
    for (const BlobRef& layer : manifest.layers) {
      const auto of_base = of_bases.find(layer.digest);
      layers.push_back(of_base == of_bases.end() ? PlacedBlob{layer} : of_base->second);
    }
    const Publication what{*place.registry, store_,          place.repository, {},
                           layers,          manifest.config, std::move(found)};
    TRY(publish(what, pushed, services_.tally, stop));
  }
  return {};
}

Result<void> ImageRule::restore(const Subject& subject, const Record& record, const EventSink& events,
                                const std::stop_token& stop) {
  if (is_code_alone(subject.graph, subject.id)) return {};
  const Places::Listening listening = places_.listen([&](std::string why) {
    events(Message{subject.target().label, std::move(why)});
  });
  TRY_ASSIGN(const ImagePlace place, places_.of(subject.target()));
  if (!place.is_layout()) {
    const Artifact* image = find_role(record.artifacts, "image");
    CHECK(image != nullptr);
    const Named named{place.repository, cat("sha256:", image->sha256)};
    TRY_ASSIGN(const std::optional<BlobRef> there, place.registry->find(named, nullptr, stop));
    if (!there) TRY(send_again(subject, record, place, stop));
  }
  for (const auto& [artifact, tags] : tagged(record.artifacts, subject.target())) {
    TRY_ASSIGN(const Document found, document(*artifact, place, stop));
    Result<void> put = place.registry->put_manifest(place.repository, found, tags, stop);
    if (!put && !place.is_layout()) {  // it may have lost what the manifest names
      TRY(send_again(subject, record, place, stop));
      put = place.registry->put_manifest(place.repository, found, tags, stop);
    }
    TRY(std::move(put));
  }
  return {};
}

// A tag of its content, which nobody points at another: what was submitted is what runs, though its machines
// know no digests.
Result<std::string> ImageRule::name_pulled(const Artifacts& image, bool accelerated,
                                           const std::stop_token& stop) {
  constexpr std::size_t kDigits = 16;
  const Artifact* whole = find_role(image, "image");
  const std::optional<ImageAddress> address =
      whole == nullptr ? std::nullopt : parse_image_address(whole->address);
  CHECK(address.has_value());
  const Artifact* manifest = manifest_for("amd64", image, accelerated);
  if (manifest == nullptr)
    return fail(user_error("The image is not for the machines of this platform, which are amd64",
                           "Give the image `architecture = \"amd64\"`, too"));
  if (address->host.empty())
    return fail(
        user_error("The image lies in this workspace alone, and the platform gets images from a registry",
                   "Give the platform a `registry`, or declare one in TRAINSPACE.lua: `default_registry`"));
  ImagePlace place;
  TRY_ASSIGN(place.registry, places_.at(address->host));
  place.host = address->host;
  place.repository = address->repository;
  const std::string tag = cat("trainmake-", manifest->sha256.substr(0, kDigits));
  TRY_ASSIGN(const std::optional<BlobRef> there,
             place.registry->find({place.repository, tag}, nullptr, stop));
  if (!there || there->digest.hex() != manifest->sha256) {
    TRY_ASSIGN(const Document found, document(*manifest, place, stop));
    TRY(place.registry->put_manifest(place.repository, found, {tag}, stop));
  }
  return cat(place.text(), ":", tag);
}

Result<UnpackedImage> ImageRule::unpack(const Artifacts& image, bool accelerated, const std::string& folder,
                                        const TrustIn& trust_in, const std::function<void()>& on_unpack,
                                        const std::stop_token& stop) {
  const Artifact* whole = find_role(image, "image");
  const std::optional<ImageAddress> address =
      whole == nullptr ? std::nullopt : parse_image_address(whole->address);
  CHECK(address.has_value());
  const Artifact* manifest = manifest_for_here(image, accelerated);
  if (manifest == nullptr)
    return fail(user_error(cat("The image is for none of the machines that are like this one, which is ",
                               architecture_of_this_machine()),
                           "Give the image this `architecture`, too, or choose another platform"));
  ImageSource source{places_.layout(), store_, nullptr, address->repository};
  if (!address->host.empty()) {
    TRY_ASSIGN(source.remote, places_.at(address->host));
  }
  const UnpackedLayers unpacked(services_.host, folder);
  return unpack_image(unpacked, source, *manifest, trust_in, on_unpack, stop);
}

}  // namespace trainmake
