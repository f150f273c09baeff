#include "cache/stores/file_range.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "cache/file_digests.h"
#include "engine/base/text.h"

namespace trainmake {

Result<void> read_range(FileSystem& files, const FileRange& range, const std::stop_token& stop,
                        const std::function<void(std::string_view)>& visit) {
  constexpr std::size_t kPiece = std::size_t{256} << 10U;
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files.open(range.path));
  TRY(reader->skip(range.offset));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kPiece);
  for (std::uint64_t left = range.size; left > 0;) {
    if (stop.stop_requested()) return fail(interrupted_error());
    TRY_ASSIGN(const std::size_t count, reader->read({buffer.get(), std::min<std::size_t>(kPiece, left)}));
    if (count == 0) return fail(changed_while_sent(range.path));
    visit({buffer.get(), count});
    left -= count;
  }
  return {};
}

Error changed_while_sent(const std::string& path) {
  return step_error(cat(quoted(path), " changed while it was sent"),
                    "Run again: it was not put into the store");
}

std::uint64_t chunk_count(std::uint64_t size) {
  return std::max<std::uint64_t>(1, (size + kChunkBytes - 1) / kChunkBytes);
}

void ChunkDigests::add(std::string_view bytes) {
  while (!bytes.empty()) {
    if (filled_ == kChunkBytes) end_chunk();
    const std::string_view now = bytes.substr(0, kChunkBytes - filled_);
    hasher_.raw(now);
    filled_ += now.size();
    bytes.remove_prefix(now.size());
  }
}

std::vector<Digest128> ChunkDigests::finish() {
  end_chunk();
  return std::move(chunks_);
}

void ChunkDigests::end_chunk() {
  chunks_.push_back(hasher_.finish());
  hasher_ = Hasher();
  filled_ = 0;
}

Result<void> send_range(FileSystem& files, const FileRange& range, HttpRequest& request) {
  request.body_size = range.size;
  TRY_ASSIGN(std::shared_ptr<FileReader> reader, files.open(range.path));
  TRY(reader->skip(range.offset));
  request.body_from = [reader, left = range.size,
                       path = range.path](std::span<char> into) mutable -> Result<std::size_t> {
    TRY_ASSIGN(const std::size_t count, reader->read(into.first(std::min<std::size_t>(into.size(), left))));
    if (count == 0 && left > 0)
      return fail(step_error(cat(quoted(path), " became shorter while it was sent"),
                             "Run again: it was not put into the store"));
    left -= count;
    return count;
  };
  return {};
}

void send_bytes(std::string_view bytes, HttpRequest& request) {
  constexpr std::size_t kCopied = std::size_t{64} << 10U;
  if (bytes.size() <= kCopied) {
    request.body = bytes;
    return;
  }
  request.body_size = bytes.size();
  request.body_from = [rest = bytes](std::span<char> into) mutable -> Result<std::size_t> {
    const std::string_view now = rest.substr(0, into.size());
    std::copy(now.begin(), now.end(), into.begin());
    rest.remove_prefix(now.size());
    return now.size();
  };
}

}  // namespace trainmake
