#include "rules/image/registries/layout/layout.h"

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "cache/transfer.h"
#include "engine/base/file_lock.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr const char* kRefName = "org.opencontainers.image.ref.name";

Json descriptor_json(const BlobRef& manifest, const std::string& name) {
  return {{"mediaType", manifest.media_type},
          {"digest", cat("sha256:", manifest.digest.hex())},
          {"size", manifest.size},
          {"annotations", {{kRefName, name}}}};
}

// A field of somebody's JSON, "" when it is not there or no string.
std::string text_of(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string()
             ? object[name].get<std::string>()
             : std::string();
}

std::string ref_of(const Json& entry) {
  return entry.is_object() && entry.contains("annotations") ? text_of(entry["annotations"], kRefName)
                                                            : std::string();
}

class Layout final : public Registry {
 public:
  // `root` is the workspace's, from where looks are told.
  Layout(Host& host, std::string folder, std::string root = {})
      : host_(host), files_(host.files), folder_(std::move(folder)), root_(std::move(root)) {}

  Result<std::optional<std::uint64_t>> size_of(const Sha256& digest, Looks* looks) override {
    TRY_ASSIGN(const Stat stat, look(blob_path(digest.hex()), looks));
    return stat.is(FileKind::kFile) ? std::optional(stat.size) : std::nullopt;
  }

  Result<BlobRef> put(const std::string& media_type,
                      const std::function<Result<void>(const ByteSink&)>& fill) override {
    const std::string waiting = path_join(folder_, cat("blobs/.waiting-", host_.clock.steady_ns(), "-",
                                                       reinterpret_cast<std::uintptr_t>(&fill)));
    TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files_.create(waiting));
    Sha256Hasher hasher;
    BlobRef descriptor{media_type, {}, 0};
    TRY(fill([&](std::string_view bytes) {
      hasher.raw(bytes);
      descriptor.size += bytes.size();
      return writer->append(bytes);
    }));
    descriptor.digest = hasher.finish();
    TRY(writer->commit());
    TRY(files_.make_folder(path_join(folder_, "blobs/sha256")));
    TRY(files_.rename(waiting, blob_path(descriptor.digest.hex())));
    return descriptor;
  }

  Result<void> name(const BlobRef& manifest, const std::vector<std::string>& names) override {
    TRY_ASSIGN(const std::optional<FileLock> held, lock());
    TRY_ASSIGN(Json index, read_index());
    Json kept = Json::array();
    for (Json& entry : index["manifests"]) {
      const std::string ref = ref_of(entry);
      if (std::find(names.begin(), names.end(), ref) == names.end()) kept.push_back(std::move(entry));
    }
    for (const std::string& ref : names) kept.push_back(descriptor_json(manifest, ref));
    index["manifests"] = std::move(kept);
    TRY(write_file(files_, path_join(folder_, "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}"));
    return write_file(files_, index_path(), index.dump(), {0644, true});
  }

  Result<void> add_names_of(Layout& other) {
    TRY_ASSIGN(const std::optional<FileLock> held, lock());
    TRY_ASSIGN(Json index, read_index());
    TRY_ASSIGN(Json theirs, other.read_index());
    std::set<std::string> known;
    for (const Json& entry : index["manifests"]) known.insert(ref_of(entry));
    const std::size_t before = index["manifests"].size();
    for (Json& entry : theirs["manifests"]) {
      if (!known.contains(ref_of(entry))) index["manifests"].push_back(std::move(entry));
    }
    if (index["manifests"].size() == before) return {};
    return write_file(files_, index_path(), index.dump(), {0644, true});
  }

  Result<std::optional<BlobRef>> find(const std::string& name, Looks* looks) override {
    const std::lock_guard lock(mutex_);
    TRY(look_at_names(looks));
    const auto found = named_.find(name);
    return found == named_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  Result<Stat> look(const std::string& path, Looks* looks) {
    TRY_ASSIGN(const Stat stat, files_.look(path));
    if (looks != nullptr) looks->files.push_back({path_below(path, root_).value_or(path), stat});
    return stat;
  }

  std::string blob_path(const std::string& hex) const {
    return path_join(folder_, cat("blobs/sha256/", hex));
  }

  // Reads the index when it is another one than it was: with many images it is long. With mutex_ held.
  Result<void> look_at_names(Looks* looks) {
    const std::int64_t now_ns = host_.clock.now_ns();
    TRY_ASSIGN(const Stat layout, look(path_join(folder_, "oci-layout"), looks));
    TRY_ASSIGN(Stat stat, look(index_path(), looks));
    if (!layout.exists()) stat = Stat();  // whatever its index names is not found by others
    if (stat == seen_ && !is_racy(stat, seen_at_ns_)) return {};
    named_.clear();
    TRY_ASSIGN(const Json index, stat.exists() ? read_index() : no_names());
    for (const Json& entry : index["manifests"]) {
      const std::string digest = text_of(entry, "digest");
      const std::optional<Sha256> parsed =
          digest.starts_with("sha256:") ? Sha256::parse(std::string_view(digest).substr(7)) : std::nullopt;
      if (!parsed) continue;
      const bool sized = entry.contains("size") && entry["size"].is_number_unsigned();
      named_.emplace(ref_of(entry), BlobRef{text_of(entry, "mediaType"), *parsed,
                                            sized ? entry["size"].get<std::uint64_t>() : 0});
    }
    seen_ = stat;
    seen_at_ns_ = now_ns;
    return {};
  }

  std::string index_path() const { return path_join(folder_, "index.json"); }

  // Nobody holds it for long.
  Result<std::optional<FileLock>> lock() {
    return wait_for_lock(host_, path_join(folder_, ".lock"), FileLock::Mode::kExclusive, {});
  }

  Result<Json> read_index() {
    TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files_, index_path()));
    Json index = text ? parse_json<Json>(*text) : Json();
    // A damaged index names nothing; every image finds its name missing and is named again.
    if (!index.is_object() || !index.contains("manifests") || !index["manifests"].is_array())
      return no_names();
    return index;
  }

  static Result<Json> no_names() {
    return Json{{"schemaVersion", 2},
                {"mediaType", "application/vnd.oci.image.index.v1+json"},
                {"manifests", Json::array()}};
  }

  Host& host_;
  FileSystem& files_;
  std::string folder_;
  std::string root_;
  std::mutex mutex_;  // guards what follows
  Stat seen_;         // the index that `named_` was read from
  std::int64_t seen_at_ns_ = 0;
  std::map<std::string, BlobRef> named_;
};

}  // namespace

std::unique_ptr<Registry> make_layout(Host& host, const Workspace& workspace) {
  return std::make_unique<Layout>(host, path_join(workspace.cache, kImagesFolder), workspace.root);
}

Result<void> add_names(Host& host, const std::string& from, const std::string& to) {
  TRY_ASSIGN(const Stat theirs, host.files.look(path_join(from, "index.json")));
  if (!theirs.exists()) return {};
  Layout other(host, from);
  return Layout(host, to).add_names_of(other);
}

}  // namespace trainmake
