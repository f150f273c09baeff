#include "rules/image/ingredients.h"

#include <map>
#include <set>

#include "cache/secret_files.h"
#include "engine/base/text.h"
#include "rules/image/image_schema.h"

namespace trainmake {
namespace {

// Of Debian and most others; an image of these links is of no use without them.
constexpr std::pair<std::string_view, std::string_view> kLinksOfBases[] = {
    {"/bin", "/usr/bin"},     {"/sbin", "/usr/sbin"},     {"/lib", "/usr/lib"}, {"/lib32", "/usr/lib32"},
    {"/lib64", "/usr/lib64"}, {"/libx32", "/usr/libx32"}, {"/var/run", "/run"}, {"/var/lock", "/run/lock"}};

// The files of `code`, as they were when it ran.
Result<Listing> snapshot(Blobs& blobs, const Artifact& tree, const Label& code) {
  const std::optional<Sha256> digest = Sha256::parse(tree.sha256);
  CHECK(digest.has_value());
  TRY_ASSIGN(const std::optional<std::string> bytes, blobs.read(*digest));
  std::optional<Listing> listing = bytes ? decode_listing(*bytes) : std::nullopt;
  if (!listing)
    return fail(step_error(cat("The snapshot of ", quoted(code.text()), " is damaged and was removed"),
                           "Run again: it is made anew"));
  return *std::move(listing);
}

Result<FileSet> read_files(const ImageServices& services, const Target& image, const Value* files,
                           const char* attribute, std::optional<std::string> root = std::nullopt) {
  return services.file_sets.read(
      {image.label.folder, files, std::move(root), "", Links::kKeep, false, image.place_of(attribute)});
}

// In a layer `.wh.name` deletes `name` from what is below.
Result<void> refuse_whiteouts(const Listing& files, const Target& target, const char* attribute) {
  for (const ListedFile& file : files) {
    if (!file.key.starts_with(".wh.") && file.key.find("/.wh.") == std::string::npos) continue;
    return fail(user_error(cat(quoted(file.key),
                               " cannot be in an image: in a layer, a name that begins with "
                               "`.wh.` deletes what is below"),
                           "Rename it, or leave it out")
                    .at(target.place_of(attribute)));
  }
  return {};
}

FileTree tree_of(FileSet set, std::string dest) {
  std::string identity = tree_identity(set.files, true).hex();
  return {std::move(dest), std::move(set.files), std::move(identity)};
}

}  // namespace

Result<FileTrees> file_trees(const ImageServices& services, const Target& image, Looks& looks) {
  FileTrees trees;
  const Value* files = image.find("files");
  if (files == nullptr) return trees;
  for (const Value& entry : files->table()->items) {
    const std::string dest = *clean_dest(*entry.table()->find("dest")->string());
    TRY_ASSIGN(FileSet set, read_files(services, image, entry.table()->find("srcs"), "files"));
    TRY(refuse_secret_files(set, image, "files"));
    TRY(refuse_whiteouts(set.files, image, "files"));
    looks.add(set.looks);
    trees.push_back(tree_of(std::move(set), dest));
  }
  return trees;
}

Result<FileTree> step_inputs(const ImageServices& services, const Target& image, Looks& looks) {
  const Value* files = image.find("inputs");
  if (files == nullptr) return FileTree();
  TRY_ASSIGN(FileSet set, read_files(services, image, files, "inputs", ""));
  TRY(refuse_secret_files(set, image, "inputs"));
  looks.add(set.looks);
  return tree_of(std::move(set), "");
}

Result<FileTree> dockerfile_context(const ImageServices& services, const Target& image, Looks& looks) {
  const Value* dockerfile = image.find("dockerfile");
  if (dockerfile == nullptr) return FileTree();
  Value all;
  all.data = Table{{*dockerfile}, {}};
  if (const Value* inputs = image.find("inputs")) {
    auto& items = std::get<Table>(all.data).items;
    if (const Table* list = inputs->table())
      items.insert(items.end(), list->items.begin(), list->items.end());
    else
      items.push_back(*inputs);
  }
  TRY_ASSIGN(FileSet set, read_files(services, image, &all, "dockerfile", ""));
  TRY(refuse_secret_files(set, image, "inputs"));
  looks.add(set.looks);
  return tree_of(std::move(set), "");
}

std::vector<CodeTree> code_trees(const Subject& image) {
  std::vector<CodeTree> trees;
  for (const Dependency& need : image.target().needs) {
    if (need.attribute != "code") continue;
    const Artifacts* artifacts = image.inputs.artifacts(need.target);
    trees.push_back(
        {&image.graph[need.target], artifacts == nullptr ? nullptr : find_role(*artifacts, "tree")});
  }
  return trees;
}

Result<void> check_places(const Target& image, const FileTrees& trees) {
  for (const FileTree& tree : trees) {
    for (const ListedFile& file : tree.files) {
      const std::string path = path_join(tree.dest, file.key);
      for (const auto& [link, target] : kLinksOfBases) {
        if (!path.starts_with(link) || (path.size() > link.size() && path[link.size()] != '/')) continue;
        return fail(user_error(cat(quoted(path), " would replace ", quoted(link),
                                   ", which in most bases is a link to ", quoted(target)),
                               cat("Put it below ", quoted(target)))
                        .at(image.place_of("files")));
      }
    }
  }
  return {};
}

namespace {

// A tree of an image, by whom it is called in an error.
struct NamedTree {
  std::string owner;
  std::string dest;
  const Listing* files;
};

Error meeting(const NamedTree& one, const NamedTree& other, const std::string& path, const Target& image) {
  return user_error(cat(one.owner, " and ", other.owner, " both bring ", quoted(path), ", and they differ"),
                    "Give one of them another `dest`")
      .at(image.place_of(image.find("code") != nullptr ? "code" : "files"));
}

// Whether one of two folders is the other or lies in it: others have no path in common.
bool meet(const std::string& one, const std::string& other) {
  return path_below(one, other).has_value() || path_below(other, one).has_value();
}

Result<void> check_meeting(const NamedTree& one, const NamedTree& other, const Target& image) {
  std::map<std::string, const ListedFile*> files;
  std::set<std::string> folders;
  const auto folders_above = [&](const std::string& path, const auto& each) {
    for (std::string_view above = path_folder(path); above.size() > 1; above = path_folder(above))
      each(std::string(above));
  };
  for (const ListedFile& file : *one.files) {
    const std::string path = path_join(one.dest, file.key);
    files[path] = &file;
    folders_above(path, [&](std::string above) { folders.insert(std::move(above)); });
  }
  for (const ListedFile& file : *other.files) {
    const std::string path = path_join(other.dest, file.key);
    const auto same = files.find(path);
    const bool differs = same != files.end() &&
                         (same->second->content != file.content ||
                          same->second->link_target != file.link_target || same->second->mode != file.mode);
    std::string clash = differs || folders.contains(path) ? path : "";
    folders_above(path, [&](const std::string& above) {
      if (files.contains(above)) clash = above;
    });
    if (!clash.empty()) return fail(meeting(one, other, clash, image));
  }
  return {};
}

}  // namespace

Result<void> check_paths(const ImageServices& services, const Subject& image, const FileTrees& files) {
  std::vector<NamedTree> trees;
  for (std::size_t i = 0; i < files.size(); ++i)
    trees.push_back({cat("`files[", i + 1, "]`"), files[i].dest, &files[i].files});
  for (const Dependency& need : image.target().needs) {
    const std::any* carry = need.attribute == "code" ? image.inputs.carry(need.target) : nullptr;
    const auto* listing = carry == nullptr ? nullptr : std::any_cast<std::shared_ptr<const Listing>>(carry);
    if (listing == nullptr) continue;
    const Target& code = image.graph[need.target];
    TRY(refuse_whiteouts(**listing, code, "srcs"));
    trees.push_back({quoted(code.label.text()), services.code_folder, listing->get()});
  }
  for (std::size_t i = 0; i < trees.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (meet(trees[i].dest, trees[j].dest)) TRY(check_meeting(trees[j], trees[i], image.target()));
    }
  }
  return {};
}

LayerSource source_of(const FileTree& tree, Compression compression) {
  std::uint64_t bytes = 0;
  for (const ListedFile& file : tree.files) bytes += file.size;
  return {
      {tree.identity, tree.dest, compression}, [&tree]() -> Result<Listing> { return tree.files; }, bytes};
}

LayerSource source_of(const ImageServices& services, const CodeTree& tree, Compression compression) {
  CHECK(tree.artifact != nullptr);
  return {{tree.artifact->identity, services.code_folder, compression},
          [&services, tree] { return snapshot(services.blobs, *tree.artifact, tree.target->label); },
          tree.artifact->size};
}

}  // namespace trainmake
