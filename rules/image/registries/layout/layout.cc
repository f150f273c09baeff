#include "rules/image/registries/layout/layout.h"

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/file_lock.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "rules/image/blob_source.h"
#include "rules/image/documents.h"
#include "rules/image/image_store.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

Json descriptor_json(const BlobRef& manifest, const std::string& name) {
  return {{"mediaType", manifest.media_type},
          {"digest", digest_text(manifest.digest)},
          {"size", manifest.size},
          {"annotations", {{kRefName, name}}}};
}

std::string ref_of(const Json& entry) {
  return entry.is_object() && entry.contains("annotations") ? text_at(entry["annotations"], kRefName)
                                                            : std::string();
}

std::string name_of(const std::string& repository, const std::string& tag) {
  return cat(repository, ":", tag);
}

class Layout final : public Registry {
 public:
  Layout(Host& host, ImageStore store) : host_(host), files_(host.files), store_(std::move(store)) {}

  std::string host() const override { return ""; }

  Result<std::optional<std::uint64_t>> size_of(const std::string&, const Sha256& digest, Looks* looks,
                                               const std::stop_token&) override {
    return store_.size_of(digest, looks);
  }

  Result<void> put(const std::string&, BlobSource& blob, const std::stop_token& stop) override {
    if (const std::optional<BlobRef> known = blob.whole()) {
      TRY_ASSIGN(const std::optional<std::uint64_t> there, store_.size_of(known->digest, nullptr));
      if (there == known->size) return {};
    }
    TRY_ASSIGN(const BlobRef made,
               store_.make("", [&](const ByteSink& out) { return read_blob(blob, stop, out); }));
    const std::optional<BlobRef> wanted = blob.whole();
    CHECK(wanted.has_value());
    if (made.digest == wanted->digest) return {};
    // What came instead stays, as it may have been there before.
    return fail(step_error(cat("What came is not the blob ", digest_text(wanted->digest))));
  }

  Result<bool> mount(const std::string&, const BlobRef& blob, const std::string&,
                     const std::stop_token&) override {
    TRY_ASSIGN(const std::optional<std::uint64_t> there, store_.size_of(blob.digest, nullptr));
    return there == blob.size;
  }

  Result<void> read(const std::string&, const BlobRef& blob, const ByteSink& sink,
                    const std::stop_token& stop) override {
    Sha256Hasher hasher;
    std::uint64_t size = 0;
    TRY(read_pieces(files_, store_.path(blob.digest), stop, [&](std::string_view bytes) {
      hasher.raw(bytes);
      size += bytes.size();
      return sink(bytes);
    }));
    if (hasher.finish() == blob.digest && size == blob.size) return {};
    return fail(step_error(cat("The image blob ", digest_text(blob.digest), " is damaged"),
                           "`--force` on the image makes it again"));
  }

  Result<void> put_manifest(const std::string& repository, const Document& manifest,
                            const std::vector<std::string>& tags, const std::stop_token&) override {
    TRY_ASSIGN(const BlobRef blob, store_.make(manifest.media_type, manifest.bytes));
    std::vector<std::string> names;
    for (const std::string& tag : tags) names.push_back(name_of(repository, tag));
    return names.empty() ? Result<void>() : name(blob, names);
  }

  Result<std::optional<BlobRef>> find(const Named& named, Looks* looks, const std::stop_token&) override {
    if (const std::optional<Sha256> digest = parse_digest(named.reference))
      return find_document(*digest, looks);
    const std::lock_guard lock(mutex_);
    TRY(look_at_names(looks));
    const auto found = named_.find(name_of(named.repository, named.reference));
    return found == named_.end() ? std::nullopt : std::optional(found->second);
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

 private:
  Result<std::optional<BlobRef>> find_document(const Sha256& digest, Looks* looks) {
    TRY_ASSIGN(const std::optional<std::uint64_t> size, store_.size_of(digest, looks));
    if (!size || *size > kLargestDocument) return std::optional<BlobRef>();
    TRY_ASSIGN(const std::optional<std::string> bytes, store_.read(digest));
    if (!bytes) return std::optional<BlobRef>();
    return std::optional(BlobRef{type_of_document(*bytes), digest, *size});
  }

  // Points `names` (`vision/mnist:latest`) at the manifest, and nothing else does any more.
  Result<void> name(const BlobRef& manifest, const std::vector<std::string>& names) {
    TRY_ASSIGN(const std::optional<FileLock> held, lock());
    TRY_ASSIGN(Json index, read_index());
    Json kept = Json::array();
    for (Json& entry : index["manifests"]) {
      const std::string ref = ref_of(entry);
      if (std::find(names.begin(), names.end(), ref) == names.end()) kept.push_back(std::move(entry));
    }
    for (const std::string& ref : names) kept.push_back(descriptor_json(manifest, ref));
    index["manifests"] = std::move(kept);
    TRY(write_file(files_, path_join(store_.folder(), "oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}"));
    return write_file(files_, index_path(), index.dump(), {0644, true});
  }

  // Reads the index when it is another one than it was: with many images it is long. With mutex_ held.
  Result<void> look_at_names(Looks* looks) {
    const std::int64_t now_ns = host_.clock.now_ns();
    TRY_ASSIGN(const Stat layout, store_.look(path_join(store_.folder(), "oci-layout"), looks));
    TRY_ASSIGN(Stat stat, store_.look(index_path(), looks));
    if (!layout.exists()) stat = Stat();  // whatever its index names is not found by others
    if (stat == seen_ && !is_racy(stat, seen_at_ns_)) return {};
    named_.clear();
    TRY_ASSIGN(const Json index, stat.exists() ? read_index() : no_names());
    for (const Json& entry : index["manifests"]) {
      const std::string digest = text_at(entry, "digest");
      const std::optional<Sha256> parsed = parse_digest(digest);
      if (!parsed) continue;
      const bool sized = entry.contains("size") && entry["size"].is_number_unsigned();
      named_.emplace(ref_of(entry), BlobRef{text_at(entry, "mediaType"), *parsed,
                                            sized ? entry["size"].get<std::uint64_t>() : 0});
    }
    seen_ = stat;
    seen_at_ns_ = now_ns;
    return {};
  }

  std::string index_path() const { return path_join(store_.folder(), "index.json"); }

  // Nobody holds it for long.
  Result<std::optional<FileLock>> lock() {
    return wait_for_lock(host_, path_join(store_.folder(), ".lock"), FileLock::Mode::kExclusive, {});
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
  ImageStore store_;
  std::mutex mutex_;  // guards what follows
  Stat seen_;         // the index that `named_` was read from
  std::int64_t seen_at_ns_ = 0;
  std::map<std::string, BlobRef> named_;
};

}  // namespace

std::unique_ptr<Registry> make_layout(Host& host, const Workspace& workspace) {
  return std::make_unique<Layout>(host, ImageStore::of(host, workspace));
}

std::unique_ptr<Registry> make_layout_at(Host& host, const std::string& folder) {
  return std::make_unique<Layout>(host, ImageStore(host, folder, ""));
}

Result<void> add_names(Host& host, const std::string& from, const std::string& to) {
  TRY_ASSIGN(const Stat theirs, host.files.look(path_join(from, "index.json")));
  if (!theirs.exists()) return {};
  Layout other(host, {host, from, ""});
  return Layout(host, {host, to, ""}).add_names_of(other);
}

}  // namespace trainmake
