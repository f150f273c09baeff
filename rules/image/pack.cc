#include "rules/image/pack.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/threads.h"

namespace trainmake {
namespace {

// A piece is digested and passed on, in any order, and is free for others after both.
struct Piece {
  std::string bytes;
  std::string room;
  std::string_view compressed;
  bool is_compressed = false;
  int uses = 0;
};

}  // namespace

struct Packer::Inside {
  Inside(Compression how, unsigned threads, ByteSink to)
      : compression(how), sink(std::move(to)), most(threads + 4), compressing(threads) {}

  // An empty piece; nothing after an error. Waits until one is free.
  Piece* take() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return error || !spare.empty() || pieces.size() < most; });
    if (error) return nullptr;
    if (spare.empty()) {
      pieces.push_back(std::make_unique<Piece>());
      pieces.back()->bytes.reserve(kPieceBytes);
      return pieces.back().get();
    }
    Piece* piece = spare.back();
    spare.pop_back();
    piece->bytes.clear();
    piece->is_compressed = false;
    return piece;
  }

  void start(Piece* piece) {
    piece->uses = 2;
    compressing.run([this, piece] {
      const std::string_view compressed = compress(piece->bytes, compression, piece->room);
      const std::lock_guard lock(mutex);
      piece->compressed = compressed;
      piece->is_compressed = true;
      changed.notify_all();
    });
    digesting.run([this, piece] {
      digest.raw(piece->bytes);
      give_back(piece);
    });
    passing.run([this, piece] {
      pass_on(piece);
      give_back(piece);
    });
  }

  void pass_on(Piece* piece) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return piece->is_compressed; });
      if (error) return;
    }
    Result<void> passed = sink(piece->compressed);
    if (passed) return;
    const std::lock_guard lock(mutex);
    error = std::move(passed).error();
    changed.notify_all();
  }

  void give_back(Piece* piece) {
    const std::lock_guard lock(mutex);
    if (--piece->uses > 0) return;
    spare.push_back(piece);
    changed.notify_all();
  }

  Result<void> failed() {
    const std::lock_guard lock(mutex);
    return error ? Result<void>(fail(*error)) : Result<void>();
  }

  void wait_for_all() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return spare.size() == pieces.size(); });
  }

  const Compression compression;
  const ByteSink sink;
  const std::size_t most;
  Sha256Hasher digest;
  Piece* filling = nullptr;
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::optional<Error> error;
  std::vector<std::unique_ptr<Piece>> pieces;
  std::vector<Piece*> spare;
  // Last: whoever works there works with what stands above.
  WorkerPool passing{1}, digesting{1}, compressing;
};

Packer::Packer(Compression compression, unsigned threads, ByteSink sink)
    : inside_(std::make_unique<Inside>(compression, threads, std::move(sink))) {}

Packer::~Packer() {
  const std::lock_guard lock(inside_->mutex);
  if (!inside_->error) inside_->error = interrupted_error();  // what still waits goes nowhere
}

Result<void> Packer::add(std::string_view bytes) {
  Inside& inside = *inside_;
  while (!bytes.empty()) {
    if (inside.filling != nullptr && inside.filling->bytes.size() == kPieceBytes)
      inside.start(std::exchange(inside.filling, nullptr));
    if (inside.filling == nullptr) inside.filling = inside.take();
    if (inside.filling == nullptr) return inside.failed();
    const std::string_view now = bytes.substr(0, kPieceBytes - inside.filling->bytes.size());
    inside.filling->bytes += now;
    bytes.remove_prefix(now.size());
  }
  return {};
}

Result<Sha256> Packer::finish() {
  Inside& inside = *inside_;
  Piece* last = std::exchange(inside.filling, nullptr);
  if (last != nullptr && inside.pieces.size() == 1) {
    // All of it: not worth a thread.
    inside.digest.raw(last->bytes);
    TRY(inside.sink(compress(last->bytes, inside.compression, last->room)));
    return inside.digest.finish();
  }
  if (last != nullptr) inside.start(last);
  inside.wait_for_all();
  TRY(inside.failed());
  return inside.digest.finish();
}

}  // namespace trainmake
