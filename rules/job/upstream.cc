#include "rules/job/upstream.h"

#include <algorithm>
#include <unordered_map>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// The path in the output folder of an artifact of `job`: an output's own, and for a file of a folder
// `name/below`.
std::string output_path(const Target& job, const std::string& role) {
  const std::size_t slash = role.find('/');
  const std::string name = role.substr(0, slash);
  const Value* outputs = job.find("outputs");
  const Value* path =
      outputs != nullptr && outputs->table() != nullptr ? outputs->table()->find(name) : nullptr;
  const std::string top =
      path != nullptr && path->string() != nullptr ? path_clean(*path->string()).value_or(name) : name;
  return slash == role.npos ? top : path_join(top, std::string_view(role).substr(slash + 1));
}

Listing listing_of_outputs(const Target& job, const Artifacts& artifacts) {
  Listing listing;
  for (const Artifact& artifact : artifacts) {
    const std::optional<Sha256> digest = Sha256::parse(artifact.sha256);
    if (!digest) continue;
    ListedFile file;
    file.key = output_path(job, artifact.role);
    file.size = artifact.size;
    file.mode = 0644;
    file.sha256 = *digest;
    listing.push_back(std::move(file));
  }
  std::sort(listing.begin(), listing.end(),
            [](const ListedFile& a, const ListedFile& b) { return a.key < b.key; });
  return listing;
}

std::string shortest(const std::string& label, const std::string& here) {
  const auto parsed = parse_label(label, "");
  return parsed ? parsed->shortest_from(here) : label;
}

Error same_path(const std::string& path, const std::string& one, const std::string& other,
                const std::string& here) {
  const std::string advice =
      "Give one of them a channel, as `data = { train = \"data:x\" }`, or the data a `dest`";
  if (one == other)
    return user_error(cat("Two files of ", quoted(shortest(one, here)), " would lie at ", quoted(path)),
                      advice);
  return user_error(cat("Two files would lie at ", quoted(path), ": one of ", quoted(shortest(one, here)),
                        " and one of ", quoted(shortest(other, here))),
                    advice);
}

}  // namespace

Result<std::shared_ptr<const Listing>> Listings::get(const std::string& sha256) {
  const std::optional<Sha256> digest = Sha256::parse(sha256);
  if (!digest) return std::shared_ptr<const Listing>();
  std::lock_guard lock(mutex_);
  if (const auto found = read_.find(sha256); found != read_.end()) return found->second;
  TRY_ASSIGN(const std::optional<std::string> bytes, blobs_.read(*digest));
  std::optional<Listing> listing = bytes ? decode_listing(*bytes) : std::nullopt;
  if (!listing) return std::shared_ptr<const Listing>();
  return read_[sha256] = std::make_shared<const Listing>(std::move(*listing));
}

const Dependency* image_of(const Target& job) {
  const auto found = std::find_if(job.needs.begin(), job.needs.end(),
                                  [](const Dependency& need) { return need.attribute == "image"; });
  return found == job.needs.end() ? nullptr : &*found;
}

std::vector<TargetId> code_targets(const Graph& graph, TargetId image) {
  std::vector<TargetId> code;
  for (std::optional<TargetId> at = image; at && code.empty();) {
    std::optional<TargetId> below;
    for (const Dependency& need : graph[*at].needs) {
      if (need.attribute == "code") code.push_back(need.target);
      if (need.attribute == "base" && !below) below = need.target;
    }
    at = below;
  }
  return code;
}

std::vector<const Dependency*> data_of(const Target& job) {
  std::vector<const Dependency*> uses;
  for (const Dependency& need : job.needs) {
    if (need.attribute == "data") uses.push_back(&need);
  }
  return uses;
}

std::optional<std::set<std::string>> code_foreseen(const Subject& job) {
  std::set<std::string> code;
  for (const TargetId target : code_targets(job.graph, image_of(job.target())->target)) {
    const Artifacts* artifacts = job.inputs.artifacts(target);
    const Artifact* tree = artifacts == nullptr ? nullptr : find_role(*artifacts, "tree");
    if (tree == nullptr) return std::nullopt;
    code.insert(tree->identity);
  }
  return code;
}

std::optional<Digest128> identity_of(const Subject& job, const Dependency& need) {
  const Artifacts* artifacts = job.inputs.artifacts(need.target);
  if (artifacts == nullptr) return std::nullopt;
  const std::string& kind = job.graph[need.target].label.kind;
  if (kind != "job") {
    const Artifact* artifact = find_role(*artifacts, kind == "image" ? "image" : "tree");
    return digest_of(artifact != nullptr ? artifact->identity : std::string_view());
  }
  std::vector<std::pair<std::string_view, std::string_view>> outputs;
  for (const Artifact& artifact : *artifacts) outputs.emplace_back(artifact.role, artifact.identity);
  std::sort(outputs.begin(), outputs.end());
  Hasher hasher;
  for (const auto& [role, identity] : outputs) {
    // Where it lies matters as well as what it is.
    hasher.field(output_path(job.graph[need.target], std::string(role))).field(identity);
  }
  return hasher.finish();
}

std::shared_ptr<const Listing> foreseen(const Subject& job, TargetId target) {
  const std::any* carry = job.inputs.carry(target);
  const auto* listing = carry != nullptr ? std::any_cast<std::shared_ptr<const Listing>>(carry) : nullptr;
  return listing != nullptr ? *listing : nullptr;
}

Result<std::optional<GivenTree>> tree_of(Listings& listings, const Subject& job, const Dependency& need,
                                         Files which) {
  const Artifacts* artifacts = job.inputs.artifacts(need.target);
  const Target& target = job.graph[need.target];
  GivenTree tree{target.label.text(), need.channel, nullptr};
  if (target.label.kind == "job") {
    if (artifacts != nullptr)
      tree.files = std::make_shared<const Listing>(listing_of_outputs(target, *artifacts));
  } else if (const Artifact* artifact = artifacts != nullptr ? find_role(*artifacts, "tree") : nullptr) {
    TRY_ASSIGN(tree.files, listings.get(artifact->sha256));
    tree.identity = artifact->identity;
    tree.listing = artifact->sha256;
  }
  // Only what is said to lie elsewhere may be read from elsewhere.
  if (tree.files && target.find("url") == nullptr &&
      std::any_of(tree.files->begin(), tree.files->end(),
                  [](const ListedFile& file) { return file.source.starts_with('/'); }))
    tree.files = nullptr;
  if (!tree.files && which == Files::kForeseen) tree.files = foreseen(job, need.target);
  if (!tree.files) return std::optional<GivenTree>();
  return std::optional<GivenTree>(std::move(tree));
}

std::optional<Clash> find_clash(const std::vector<GivenTree>& trees) {
  if (trees.size() < 2) return std::nullopt;
  std::unordered_map<std::string, const GivenTree*> owners;
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      if (is_folder(file.key)) continue;  // two may well have it
      const auto [entry, is_new] = owners.try_emplace(path_join(tree.channel, file.key), &tree);
      if (!is_new) return Clash{entry->first, entry->second, &tree};
    }
  }
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      const std::string path = path_join(tree.channel, file.key);
      for (std::string_view above = path_folder(path); !above.empty(); above = path_folder(above)) {
        const auto owner = owners.find(std::string(above));
        if (owner != owners.end()) return Clash{owner->first, owner->second, &tree};
      }
    }
  }
  return std::nullopt;
}

Result<void> check_paths(const std::vector<GivenTree>& trees, const std::string& here) {
  if (const std::optional<Clash> clash = find_clash(trees))
    return fail(same_path(clash->path, clash->one->label, clash->other->label, here));
  return {};
}

}  // namespace trainmake
