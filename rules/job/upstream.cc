#include "rules/job/upstream.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "engine/base/text.h"
#include "rules/job/contract.h"

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

// As the rules of code and data leave it for those who need them.
std::shared_ptr<const Listing> foreseen(const Subject& job, TargetId target) {
  const std::any* carry = job.inputs.carry(target);
  const auto* listing = carry != nullptr ? std::any_cast<std::shared_ptr<const Listing>>(carry) : nullptr;
  return listing != nullptr ? *listing : nullptr;
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

Error same_code_path(const std::string& path, const std::string& image) {
  return user_error(cat("Two files of the code of ", quoted(image), " would lie at ", quoted(path)),
                    "Leave one of them out of its code target");
}

Error no_such_main(const std::string& main, const Listing& code, const std::string& image) {
  std::vector<std::string> keys;
  for (const ListedFile& file : code) {
    if (path_name(file.key).find('.') != std::string_view::npos) keys.push_back(file.key);
  }
  std::string advice = did_you_mean(main, keys);
  if (advice.empty()) advice = "A `main` is a path from the code's root";
  return user_error(cat("There is no ", quoted(main), " among the code of ", quoted(image)),
                    std::move(advice));
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

std::vector<const Dependency*> data_of(const Target& job) {
  std::vector<const Dependency*> uses;
  for (const Dependency& need : job.needs) {
    if (need.attribute == "data") uses.push_back(&need);
  }
  return uses;
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
  }
  if (!tree.files && which == Files::kForeseen) tree.files = foreseen(job, need.target);
  if (!tree.files) return std::optional<GivenTree>();
  return std::optional<GivenTree>(std::move(tree));
}

Result<void> check_paths(const std::vector<GivenTree>& trees, const std::string& here) {
  if (trees.size() < 2) return {};
  std::unordered_map<std::string, const GivenTree*> owners;
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      const auto [entry, is_new] = owners.try_emplace(path_join(tree.channel, file.key), &tree);
      if (!is_new) return fail(same_path(entry->first, entry->second->label, tree.label, here));
    }
  }
  for (const auto& [path, tree] : owners) {
    for (std::string_view above = path_folder(path); !above.empty(); above = path_folder(above)) {
      const auto file = owners.find(std::string(above));
      if (file != owners.end()) return fail(same_path(file->first, file->second->label, tree->label, here));
    }
  }
  return {};
}

namespace {

// The files of all code in the image, in its order.
Result<std::shared_ptr<const Listing>> merged(const std::vector<std::shared_ptr<const Listing>>& listings,
                                              const std::string& image) {
  if (listings.empty()) return std::shared_ptr<const Listing>();
  if (listings.size() == 1) return listings.front();
  Listing all;
  std::unordered_set<std::string> paths;
  for (const auto& listing : listings) {
    for (const ListedFile& file : *listing) {
      if (!paths.insert(file.key).second) return fail(same_code_path(file.key, image));
      all.push_back(file);
    }
  }
  for (const ListedFile& file : all) {
    for (std::string_view above = path_folder(file.key); !above.empty(); above = path_folder(above)) {
      if (paths.contains(std::string(above))) return fail(same_code_path(std::string(above), image));
    }
  }
  return std::make_shared<const Listing>(std::move(all));
}

// The files of the code in the image; nullptr when they are not all known, or there are none.
Result<std::shared_ptr<const Listing>> code_of(Listings& listings, const Subject& job,
                                               const Dependency& image, Files which,
                                               const std::string& name) {
  std::vector<std::shared_ptr<const Listing>> parts;
  if (const Artifacts* artifacts = job.inputs.artifacts(image.target)) {
    for (const Artifact& artifact : *artifacts) {
      if (artifact.role != "code") continue;
      TRY_ASSIGN(std::shared_ptr<const Listing> kept, listings.get(artifact.sha256));
      parts.push_back(std::move(kept));
    }
  }
  const auto known = [&] { return std::find(parts.begin(), parts.end(), nullptr) == parts.end(); };
  if (!parts.empty() && known()) return merged(parts, name);
  if (which != Files::kForeseen) return std::shared_ptr<const Listing>();
  parts.clear();
  for (const Dependency& need : job.graph[image.target].needs) {
    if (job.graph[need.target].label.kind == "code") parts.push_back(foreseen(job, need.target));
  }
  return known() ? merged(parts, name) : std::shared_ptr<const Listing>();
}

// What a file of the code says: out of its blob, or where it lies when it has none yet.
Result<std::optional<std::string>> content_of(const JobServices& services, const ListedFile& file) {
  if (file.sha256 != Sha256()) return services.blobs.read(file.sha256);
  return read_file_if_there(services.host.files, services.workspace.path(file.source));
}

Result<std::optional<Starter>> starter_in(const JobServices& services, const Listing& code,
                                          const std::string& main, const std::string& image) {
  const auto file =
      std::find_if(code.begin(), code.end(), [&](const ListedFile& listed) { return listed.key == main; });
  if (file == code.end()) return fail(no_such_main(main, code, image));
  std::optional<std::string> content;
  if (file->link_target.empty()) {
    TRY_ASSIGN(content, content_of(services, *file));
    if (!content) return std::optional<Starter>();
  }
  // What a link leads to is not followed here: its name must do.
  TRY_ASSIGN(Starter starter, starter_of(main, content ? file->mode : 0755U, content.value_or("")));
  return std::optional<Starter>(std::move(starter));
}

// The main file as the image's code declares it now. Not from an artifact: an image whose code only names
// another main is the same image, and is not made again.
std::string main_of_code(const Graph& graph, const Target& image) {
  for (const Dependency& need : image.needs) {
    if (std::string main = graph[need.target].string_or("main", ""); !main.empty()) return main;
  }
  return {};
}

}  // namespace

Result<Entry> entry_of(Listings& listings, const JobServices& services, const Subject& job, Files which) {
  const Target& target = job.target();
  const std::string& here = services.workspace.here;
  const Dependency* need = image_of(target);
  CHECK(need != nullptr);
  const std::string image = job.graph[need->target].label.shortest_from(here);
  Entry entry;
  auto code = code_of(listings, job, *need, which, image);
  if (!code) return fail(std::move(code).error().at(job.graph[need->target].where));
  entry.code = *std::move(code);
  const Value* command = target.find("command");
  if (command != nullptr && command->table() != nullptr && !command->table()->items.empty()) return entry;
  entry.main = target.string_or("main", main_of_code(job.graph, job.graph[need->target]));
  if (entry.main.empty()) {
    return fail(user_error(cat(quoted(target.label.shortest_from(here)),
                               " does not say what to run, nor does the code of ", quoted(image)),
                           "Give it `main = \"train.py\"` or `command = { ... }`")
                    .at(target.where));
  }
  if (!entry.code) return entry;
  auto starter = starter_in(services, *entry.code, entry.main, image);
  if (!starter) return fail(std::move(starter).error().at(target.place_of("main")));
  entry.starter = std::move(*starter);
  return entry;
}

}  // namespace trainmake
