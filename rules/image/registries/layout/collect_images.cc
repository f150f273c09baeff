#include "rules/image/registries/layout/collect_images.h"

#include <nlohmann/json.hpp>
#include <set>

#include "cache/whole_cache.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/image/documents.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;
using Digests = std::set<std::string>;  // SHA-256 as 64 hex digits

constexpr std::string_view kPrefix = "sha256:";

Digests digests_of(const std::vector<Record>& kept) {
  Digests digests;
  for (const Record& record : kept) {
    if (record.label.kind != "image") continue;
    for (const Artifact& artifact : record.artifacts) {
      digests.insert(artifact.sha256);
      if (artifact.role == "image") digests.insert(artifact.identity);  // its config
    }
  }
  return digests;
}

// Every `digest` in an OCI document, however deep.
void add_digests(const Json& json, std::vector<std::string>& found) {
  for (const auto& [name, value] : json.items()) {
    if (value.is_structured()) add_digests(value, found);
    if (name != "digest" || !value.is_string()) continue;
    const std::string digest = value.get<std::string>();
    if (digest.starts_with(kPrefix) && Sha256::parse(std::string_view(digest).substr(kPrefix.size())))
      found.push_back(digest.substr(kPrefix.size()));
  }
}

Result<Json> read_json(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, path));
  return text ? parse_json<Json>(*text) : Json();
}

// What the names in the layout and the pins lead to. A blob that is too large for a document is a layer.
Result<void> add_named(FileSystem& files, const std::string& layout, const std::vector<Sha256>& pinned,
                       Digests& digests) {
  TRY_ASSIGN(const Json index, read_json(files, path_join(layout, "index.json")));
  std::vector<std::string> waiting;
  for (const Sha256& digest : pinned) waiting.push_back(digest.hex());
  if (index.is_structured()) add_digests(index, waiting);
  while (!waiting.empty()) {
    const std::string digest = std::move(waiting.back());
    waiting.pop_back();
    if (!digests.insert(digest).second) continue;
    const std::string path = path_join(layout, cat("blobs/sha256/", digest));
    TRY_ASSIGN(const Stat stat, files.look(path));
    if (!stat.is(FileKind::kFile) || stat.size > kLargestDocument) continue;
    TRY_ASSIGN(const Json json, read_json(files, path));
    if (json.is_structured()) add_digests(json, waiting);
  }
  return {};
}

Result<void> forget_layers(FileSystem& files, const std::string& folder, const Digests& digests) {
  TRY_ASSIGN(const Stat stat, files.look(folder));
  if (!stat.is(FileKind::kFolder)) return {};
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(folder));
  for (const FolderEntry& entry : entries) {
    const std::string path = path_join(folder, entry.name);
    TRY_ASSIGN(const Json memo, read_json(files, path));
    const auto digest = memo.is_object() ? memo.find("digest") : memo.end();
    if (memo.is_null()) continue;  // of a step that changed nothing
    const bool known = memo.is_object() && digest != memo.end() && digest->is_string() &&
                       digests.contains(digest->get<std::string>());
    if (!known) TRY(files.remove(path));
  }
  return {};
}

}  // namespace

Result<Swept> collect_images(FileSystem& files, const std::string& cache_folder,
                             const std::vector<Record>& kept, const std::vector<Sha256>& pinned) {
  const std::string layout = path_join(cache_folder, kImagesFolder);
  Digests digests = digests_of(kept);
  TRY(add_named(files, layout, pinned, digests));
  Swept swept;
  TRY_ASSIGN(swept.bytes,
             remove_others(files, path_join(layout, "blobs/sha256"), [&](const std::string& name) {
               const bool keep = digests.contains(name);
               if (!keep) ++swept.count;
               return keep;
             }));
  TRY_ASSIGN(const std::uint64_t waiting,
             remove_others(files, path_join(layout, "blobs"),
                           [](const std::string& name) { return name == "sha256"; }));
  // Of builds that were killed.
  TRY_ASSIGN(const std::uint64_t builds,
             remove_others(files, path_join(layout, "dockerfiles"),
                           [](const std::string& name) { return !name.starts_with('.'); }));
  swept.bytes += waiting + builds;
  TRY(forget_layers(files, path_join(cache_folder, "layers"), digests));
  return swept;
}

}  // namespace trainmake
