#include "rules/image/bases.h"

#include <algorithm>
#include <set>

#include "engine/base/file_lock.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kNothing = "scratch";

// Of a base that a registry has; nothing for any other.
Result<std::optional<Reference>> reference_of(const Target& image, const Edition& edition) {
  if (edition.base.empty() || edition.base == kNothing || base_need(image, edition) != nullptr)
    return std::optional<Reference>();
  Result<Reference> reference = parse_reference(edition.base);
  if (!reference) return fail(std::move(reference).error().at(image.place_of("base")));
  return std::optional(*std::move(reference));
}

std::string asked(const Reference& reference) {
  return reference.digest ? digest_text(*reference.digest) : reference.tag;
}

// The artifact of an image that fits an edition built on it: the same variant, or one that has none.
const Artifact* fitting(const Artifacts& artifacts, const Edition& edition) {
  const Artifact* same = find_role(artifacts, manifest_role(edition.name()));
  return same != nullptr ? same : find_role(artifacts, manifest_role(edition.architecture));
}

}  // namespace

const Dependency* base_need(const Target& image, const Edition& edition) {
  const auto found = std::find_if(image.needs.begin(), image.needs.end(), [&](const Dependency& need) {
    return need.attribute == "base" && need.channel == edition.variant;
  });
  return found == image.needs.end() ? nullptr : &*found;
}

Result<BaseSource> Bases::source_of(const Reference& reference) {
  TRY_ASSIGN(Registry * registry, places_.at(reference.registry));
  return BaseSource{registry, reference.repository, reference.text()};
}

Result<BaseLock> Bases::read_lock(Looks* looks) {
  FileSystem& files = services_.host.files;
  const std::string path = services_.workspace.path(kLockFile);
  TRY_ASSIGN(const Stat stat, files.look(path, Links::kFollow));
  if (looks != nullptr) looks->files.push_back({kLockFile, stat, std::nullopt, Links::kFollow});
  const std::lock_guard lock(mutex_);
  if (read_ && stat == read_stat_) return *read_;
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, path));
  BaseLock read;
  if (text) {
    TRY_ASSIGN(read, parse_lock(*text));
  }
  read_ = std::move(read);
  read_stat_ = stat;
  return *read_;
}

// Only what can be built on: its two documents are asked for, and kept.
Result<Sha256> Bases::resolve(const BaseSource& source, const Wanted& want) {
  TRY_ASSIGN(const Sha256 now, resolve_base(source, asked(want.reference), want.architecture, {}));
  TRY(read_base(source, now, want.architecture, store_, {}));
  return now;
}

// Each once. What is wrong with how a base is written is told when its image is described.
Result<std::vector<Bases::Wanted>> Bases::wanted(const Graph& graph, bool cpu_stays) {
  std::map<std::pair<std::string, std::string>, Wanted> found;
  for (const Target& target : graph.targets) {
    if (target.label.kind != "image") continue;
    const auto editions = editions_for(target, cpu_stays, services_.variant);
    for (const Edition& edition : editions ? *editions : std::vector<Edition>()) {
      const auto reference = reference_of(target, edition);
      if (reference && *reference)
        found.emplace(std::pair((*reference)->text(), edition.architecture),
                      Wanted{**reference, edition.architecture, &target});
    }
  }
  std::vector<Wanted> list;
  for (auto& [key, one] : found) list.push_back(std::move(one));
  return list;
}

Bases::Errors Bases::pin(const Graph& graph, Ask ask, const EventSink& events,
                         std::vector<PinnedBase>& pinned) {
  Errors errors;
  const auto pin_all = [&]() -> Result<void> {
    TRY_ASSIGN(const std::vector<Wanted> all, wanted(graph, ask == Ask::kUnpinned && services_.cpu_stays));
    if (all.empty()) return {};
    TRY_ASSIGN(BaseLock known, read_lock(nullptr));
    for (const Wanted& want : all) {
      const std::string name = want.reference.text();
      const std::optional<Sha256> before = known.find(name, want.architecture);
      if (before && ask == Ask::kUnpinned) continue;
      events(Message{want.target->label, cat("Asking what ", quoted(name), " stands for")});
      TRY_ASSIGN(const BaseSource source, source_of(want.reference));
      Result<Sha256> now = resolve(source, want);
      if (now)
        pinned.push_back({name, want.architecture, before, *now});
      else
        errors.emplace_back(std::move(now).error().at(want.target->place_of("base")), want.target->label);
    }
    if (pinned.empty()) return {};
    TRY_ASSIGN(const std::optional<FileLock> alone,
               wait_for_lock(services_.host, path_join(services_.workspace.cache, "bases.lock"),
                             FileLock::Mode::kExclusive, {}));
    TRY_ASSIGN(known, read_lock(nullptr));  // another trainmake may have written it meanwhile
    for (const PinnedBase& one : pinned) {
      Sha256& digest = known.bases[one.base].emplace(one.architecture, one.now).first->second;
      if (ask == Ask::kAll) digest = one.now;
    }
    return write_file(services_.host.files, services_.workspace.path(kLockFile), to_text(known));
  };
  if (Result<void> done = pin_all(); !done) {
    errors.emplace_back(std::move(done).error(), Label{});
  }
  return errors;
}

Result<bool> Bases::lacks_any(const Graph& graph) {
  TRY_ASSIGN(const std::vector<Wanted> all, wanted(graph, services_.cpu_stays));
  TRY_ASSIGN(const BaseLock known, read_lock(nullptr));
  return std::any_of(all.begin(), all.end(), [&](const Wanted& want) {
    return !known.find(want.reference.text(), want.architecture);
  });
}

Result<std::vector<std::string>> Bases::unpin_others(const Graph& graph) {
  std::vector<std::string> gone;
  // What cannot be told of one image, another run will.
  for (const Target& target : graph.targets) {
    if (target.label.kind == "image" && !editions_of(target)) return gone;
  }
  TRY_ASSIGN(const std::vector<Wanted> all, wanted(graph, false));
  std::set<std::pair<std::string, std::string>> used;
  for (const Wanted& want : all) used.emplace(want.reference.text(), want.architecture);
  TRY_ASSIGN(const std::optional<FileLock> alone,
             wait_for_lock(services_.host, path_join(services_.workspace.cache, "bases.lock"),
                           FileLock::Mode::kExclusive, {}));
  TRY_ASSIGN(BaseLock known, read_lock(nullptr));
  BaseLock kept;
  for (const auto& [base, digests] : known.bases) {
    for (const auto& [architecture, digest] : digests) {
      if (used.contains({base, architecture}))
        kept.bases[base].emplace(architecture, digest);
      else
        gone.push_back(cat(base, " (", architecture, ")"));
    }
  }
  if (!gone.empty())
    TRY(write_file(services_.host.files, services_.workspace.path(kLockFile), to_text(kept)));
  return gone;
}

Result<std::optional<std::string>> Bases::identity(const Subject& image, const Edition& edition,
                                                   Looks& looks) {
  if (const Dependency* need = base_need(image.target(), edition)) {
    const Artifacts* artifacts = image.inputs.artifacts(need->target);
    const Artifact* below = artifacts == nullptr ? nullptr : fitting(*artifacts, edition);
    return below == nullptr ? std::nullopt : std::optional(below->identity);
  }
  TRY_ASSIGN(const std::optional<Reference> reference, reference_of(image.target(), edition));
  if (!reference) return std::optional(edition.base);
  TRY_ASSIGN(const BaseLock known, read_lock(&looks));
  const std::optional<Sha256> digest = known.find(reference->text(), edition.architecture);
  return digest ? std::optional(digest->hex()) : std::nullopt;
}

Result<std::optional<Base>> Bases::kept(const Subject& image, const Edition& edition) {
  std::optional<Sha256> manifest;
  if (const Dependency* need = base_need(image.target(), edition)) {
    const Artifacts* artifacts = image.inputs.artifacts(need->target);
    const Artifact* below = artifacts == nullptr ? nullptr : fitting(*artifacts, edition);
    if (below != nullptr) manifest = Sha256::parse(below->sha256);
  } else {
    TRY_ASSIGN(const std::optional<Reference> reference, reference_of(image.target(), edition));
    TRY_ASSIGN(const BaseLock known, read_lock(nullptr));
    if (reference) manifest = known.find(reference->text(), edition.architecture);
  }
  if (!manifest) return std::optional<Base>();
  TRY_ASSIGN(const bool here, base_is_kept(*manifest, store_));
  return here ? of(image, edition, {}) : std::optional<Base>();
}

Result<Base> Bases::of_image(const Subject& image, const Dependency& need, const Edition& edition,
                             const std::stop_token& stop) {
  const Target& below = image.graph[need.target];
  const Artifacts* artifacts = image.inputs.artifacts(need.target);
  CHECK(artifacts != nullptr);
  const Artifact* made = fitting(*artifacts, edition);
  const std::optional<Sha256> manifest = made == nullptr ? std::nullopt : Sha256::parse(made->sha256);
  const std::string name = below.label.shortest_from(services_.workspace.here);
  if (!manifest)
    return fail(user_error(cat("Base ", quoted(name), " has no image for ", quoted(edition.name())),
                           "Write `base` as a table with the variants that it has, or give both the same "
                           "`architecture`"));
  TRY_ASSIGN(const ImagePlace place, places_.of(below));
  return read_base({place.registry, place.repository, name}, *manifest, edition.architecture, store_, stop);
}

Result<std::optional<Base>> Bases::of(const Subject& image, const Edition& edition,
                                      const std::stop_token& stop) {
  const auto at_base = [&](Error error) { return std::move(error).at(image.target().place_of("base")); };
  if (const Dependency* need = base_need(image.target(), edition)) {
    Result<Base> base = of_image(image, *need, edition, stop);
    if (!base) return fail(at_base(std::move(base).error()));
    return std::optional(*std::move(base));
  }
  TRY_ASSIGN(const std::optional<Reference> reference, reference_of(image.target(), edition));
  if (!reference) return std::optional<Base>();
  TRY_ASSIGN(const BaseLock known, read_lock(nullptr));
  const std::optional<Sha256> digest = known.find(reference->text(), edition.architecture);
  if (!digest)
    return fail(at_base(step_error(cat(kLockFile, " has lost ", quoted(reference->text())), "Run it again")));
  TRY_ASSIGN(const BaseSource source, source_of(*reference));
  Result<Base> base = read_base(source, *digest, edition.architecture, store_, stop);
  if (!base) return fail(at_base(std::move(base).error()));
  return std::optional(*std::move(base));
}

}  // namespace trainmake
