#include "rules/image/publish.h"

#include <mutex>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"

namespace trainmake {
namespace {

constexpr unsigned kAtOnce = 4;  // blobs on their way

// The first error of those that work at once.
class FirstError {
 public:
  void take(Result<void> result) {
    if (result) return;
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(result).error();
  }
  bool any() {
    const std::lock_guard lock(mutex_);
    return error_.has_value();
  }
  Result<void> result() { return error_ ? Result<void>(fail(*std::move(error_))) : Result<void>(); }

 private:
  std::mutex mutex_;
  std::optional<Error> error_;
};

Result<void> send(const Publication& what, const SentLayer& layer, Tally& tally,
                  const std::stop_token& stop) {
  const BlobRef& blob = layer.blob;
  TRY_ASSIGN(const std::optional<std::uint64_t> there,
             what.registry.size_of(what.repository, blob.digest, nullptr, stop));
  if (there == 0 || there == blob.size) return {};  // of another size, it is not that blob
  if (layer.from == &what.registry) {
    TRY_ASSIGN(const bool mounted, what.registry.mount(what.repository, blob, layer.repository, stop));
    if (mounted) return {};
  }
  TRY(fetch(layer, what.store, stop));
  TRY(what.registry.put(what.repository, blob, what.store.path(blob.digest), stop));
  if (blob.digest != what.config.digest) tally.pushed_layers += 1;
  tally.pushed_bytes += blob.size;
  return {};
}

// Those that the repository is not known to have.
Result<void> send_blobs(const Publication& what, PushedBlobs& pushed, Tally& tally,
                        const std::stop_token& stop) {
  std::vector<SentLayer> unknown;
  for (const SentLayer& layer : what.layers) {
    if (!pushed.has(layer.blob.digest)) unknown.push_back(layer);
  }
  if (!pushed.has(what.config.digest)) unknown.push_back({what.config});
  FirstError error;
  parallel_for(unknown.size(), 1, kAtOnce, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end && !error.any(); ++i) error.take(send(what, unknown[i], tally, stop));
  });
  TRY(error.result());
  for (const SentLayer& layer : unknown) pushed.add(layer.blob.digest);
  return {};
}

}  // namespace

Result<PushedBlobs> PushedBlobs::read(Host& host, const ImageStore& store, const std::string& place) {
  PushedBlobs pushed(host, path_join(store.folder(), cat("pushed/", digest_of(place).hex(), ".json")));
  if (place.empty()) return pushed;
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, pushed.path_));
  const nlohmann::json list = text ? parse_json<nlohmann::json>(*text) : nlohmann::json();
  for (const nlohmann::json& entry : list.is_array() ? list : nlohmann::json::array()) {
    if (!entry.is_string()) continue;
    if (const std::optional<Sha256> digest = Sha256::parse(entry.get<std::string>()))
      pushed.digests_.insert(*digest);
  }
  return pushed;
}

Result<void> PushedBlobs::write() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Sha256& digest : digests_) list.push_back(digest.hex());
  return write_file(host_->files, path_, list.dump());
}

Result<void> fetch(const SentLayer& layer, const ImageStore& store, const std::stop_token& stop) {
  TRY_ASSIGN(const std::optional<std::uint64_t> here, store.size_of(layer.blob.digest, nullptr));
  if (here == layer.blob.size) return {};
  if (layer.from == nullptr)
    return fail(step_error(
        cat("The blob sha256:", layer.blob.digest.hex(), " is neither here nor in the registry any more"),
        "`--force` on the image makes it again"));
  TRY_ASSIGN(const BlobRef made, store.make(layer.blob.media_type, [&](const ByteSink& out) {
    return layer.from->read(layer.repository, layer.blob, out, stop);
  }));
  CHECK(made.digest == layer.blob.digest);
  return {};
}

Result<void> publish(const Publication& what, PushedBlobs& pushed, Tally& tally,
                     const std::stop_token& stop) {
  TRY(send_blobs(what, pushed, tally, stop));
  const BlobRef manifest = what.manifest.ref();
  Result<void> put = what.registry.put_manifest(what.repository, what.manifest, what.tags, stop);
  if (!put) {
    // Has it lost what we took to be there?
    const std::uint64_t before = tally.pushed_bytes;
    pushed.forget();
    TRY(send_blobs(what, pushed, tally, stop));
    if (tally.pushed_bytes == before) return put;
    TRY(what.registry.put_manifest(what.repository, what.manifest, what.tags, stop));
  }
  if (!pushed.has(manifest.digest)) {
    tally.pushed_manifests += 1;
    tally.pushed_bytes += manifest.size;
  }
  pushed.add(manifest.digest);
  return pushed.write();
}

}  // namespace trainmake
