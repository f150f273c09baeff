#include "rules/image/publish.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "rules/image/blob_source.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

constexpr unsigned kAtOnce = 4;  // blobs on their way
constexpr std::uint64_t kUnaskedBytes = std::uint64_t{128} << 10U;
constexpr std::uint64_t kMountedBytes = std::uint64_t{1} << 20U;  // less is sent before it is looked for

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

// Bytes on their way, of all that is sent at once.
class Sent {
 public:
  Sent(const ByteProgress& progress, std::uint64_t total) : progress_(progress), total_(total) {}
  void add(std::size_t bytes) {
    const std::uint64_t before = done_.fetch_add(bytes);
    const std::uint64_t done = before + bytes;
    if (progress_ && before / kTellBytes != done / kTellBytes)
      progress_("uploading", std::min(done, total_), total_);  // what was cut counts again
  }

 private:
  static constexpr std::uint64_t kTellBytes = std::uint64_t{1} << 20U;
  const ByteProgress& progress_;
  const std::uint64_t total_;
  std::atomic<std::uint64_t> done_{0};
};

// What is small and new to us, in a repository that we know, is sent as quickly as it is asked for.
bool is_asked_for(const PlacedBlob& layer, const PushedBlobs& pushed) {
  return layer.from != nullptr || layer.blob.size > kUnaskedBytes || pushed.empty() ||
         pushed.has(layer.blob.digest);
}

// A repository that the registry can take a layer from by itself; "" is none.
Result<std::string> mounted_from(const Publication& what, const PlacedBlob& layer,
                                 const PushedBlobs& pushed) {
  if (layer.from != nullptr && layer.from->host() == what.registry.host() &&
      layer.repository != what.repository)
    return layer.repository;
  if (layer.from != nullptr) return std::string();
  return layer.blob.size < kMountedBytes ? std::string() : pushed.elsewhere(layer.blob.digest);
}

Result<void> send(const Publication& what, const PlacedBlob& layer, const PushedBlobs& pushed, Sent& sent,
                  Tally& tally, const std::stop_token& stop) {
  const BlobRef& blob = layer.blob;
  if (is_asked_for(layer, pushed)) {
    TRY_ASSIGN(const std::optional<std::uint64_t> there,
               what.registry.size_of(what.repository, blob.digest, nullptr, stop));
    if (there == 0 || there == blob.size) return {};  // of another size, it is not that blob
  }
  TRY_ASSIGN(const std::string from, mounted_from(what, layer, pushed));
  if (!from.empty()) {
    TRY_ASSIGN(const bool mounted, what.registry.mount(what.repository, blob, from, stop));
    if (mounted) return {};
  }
  TRY(fetch(layer, what.store, stop));
  FileBlob file(what.store.files(), blob, what.store.path(blob.digest),
                [&](std::size_t bytes) { sent.add(bytes); });
  if (Result<void> put = what.registry.put(what.repository, file, stop); !put) {
    if (put.error().blame == Blame::kInterrupted) return put;
    TRY_ASSIGN(const bool was_damaged, what.store.drop_if_damaged(blob.digest, stop));
    if (!was_damaged) return put;
    return fail(
        step_error(cat("The copy of ", digest_text(blob.digest), " here was damaged, and was removed"),
                   "Run again: it is made anew"));
  }
  if (blob.digest != what.config.digest) {
    tally.pushed_layers += 1;
    if (what.sent) what.sent(blob);
  }
  tally.pushed_bytes += blob.size;
  return {};
}

// Not every registry asks for the layers of a manifest: what has lost our last one has lost other things,
// too.
bool has_lost_the_last(const Publication& what, const PushedBlobs& pushed, const std::stop_token& stop) {
  if (!pushed.last()) return false;
  const auto there = what.registry.find({what.repository, digest_text(*pushed.last())}, nullptr, stop);
  return there && !*there;
}

// Those that the repository may not have: what our last manifests do not name it may have removed.
Result<void> send_blobs(const Publication& what, PushedBlobs& pushed, Tally& tally,
                        const std::stop_token& stop) {
  std::vector<PlacedBlob> unknown;
  std::set<Sha256> seen;  // an image may hold a layer twice
  for (const PlacedBlob& layer : what.layers) {
    if (!pushed.is_kept(layer.blob.digest) && seen.insert(layer.blob.digest).second) unknown.push_back(layer);
  }
  if (!pushed.is_kept(what.config.digest)) unknown.push_back({what.config});
  std::uint64_t total = 0;
  for (const PlacedBlob& layer : unknown) total += layer.blob.size;
  Sent sent(what.progress, total);
  FirstError error;
  bool has_forgotten = false;
  parallel_for(unknown.size() + 1, 1, kAtOnce, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end && !error.any(); ++i) {
      if (i == 0)
        has_forgotten = !unknown.empty() && has_lost_the_last(what, pushed, stop);
      else
        error.take(send(what, unknown[i - 1], pushed, sent, tally, stop));
    }
  });
  TRY(error.result());
  if (has_forgotten) {
    pushed.forget();
    return send_blobs(what, pushed, tally, stop);
  }
  for (const PlacedBlob& layer : unknown) pushed.add(layer.blob.digest);
  return {};
}

}  // namespace

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
  std::vector<Sha256> blobs = {what.config.digest};
  for (const PlacedBlob& layer : what.layers) blobs.push_back(layer.blob.digest);
  pushed.add_last(manifest.digest, blobs);
  return pushed.write();
}

}  // namespace trainmake
