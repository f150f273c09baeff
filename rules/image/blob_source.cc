#include "rules/image/blob_source.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10U;

// A stretch of a file, opened when it is asked for.
class FilePart {
 public:
  FilePart(FileSystem& files, std::string path, std::uint64_t offset, std::uint64_t size)
      : files_(files), path_(std::move(path)), offset_(offset), left_(size) {}

  Result<std::size_t> read(std::span<char> into) {
    if (!reader_) {
      TRY_ASSIGN(reader_, files_.open(path_));
      TRY(reader_->skip(offset_));
    }
    TRY_ASSIGN(const std::size_t count,
               reader_->read(into.first(std::min<std::uint64_t>(left_, into.size()))));
    if (count == 0 && left_ > 0)
      return fail(step_error(cat(quoted(path_), " became shorter while it was sent")));
    left_ -= count;
    return count;
  }

 private:
  FileSystem& files_;
  std::string path_;
  std::uint64_t offset_, left_;
  std::unique_ptr<FileReader> reader_;
};

}  // namespace

Result<void> read_blob(BlobSource& blob, const std::stop_token& stop, const ByteSink& each) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
  for (std::uint64_t offset = 0;;) {
    TRY_ASSIGN(BlobPart part, blob.part(offset, ~std::uint64_t{0}, stop));
    if (part.size == 0) return {};
    offset += part.size;
    while (part.size > 0) {
      if (stop.stop_requested()) return fail(interrupted_error());
      TRY_ASSIGN(const std::size_t count, part.bytes({buffer.get(), kReadBytes}));
      part.size -= count;
      TRY(each(std::string_view(buffer.get(), count)));
    }
  }
}

Result<BlobPart> FileBlob::part(std::uint64_t offset, std::uint64_t most, const std::stop_token&) {
  BlobPart part{std::min(most, blob_.size - std::min(offset, blob_.size))};
  const auto stretch = std::make_shared<FilePart>(files_, path_, offset, part.size);
  part.bytes = [stretch, given = given_](std::span<char> into) -> Result<std::size_t> {
    TRY_ASSIGN(const std::size_t count, stretch->read(into));
    if (given) given(count);
    return count;
  };
  return part;
}

void RelayedBlob::add(std::string_view bytes) {
  std::unique_lock lock(mutex_);
  while (!bytes.empty()) {
    changed_.wait(lock, [&] { return given_up_ || made_.size() < kStretchBytes; });
    if (given_up_) return;
    made_.reserve(kStretchBytes);
    const std::string_view now = bytes.substr(0, kStretchBytes - made_.size());
    made_ += now;
    bytes.remove_prefix(now.size());
    if (made_.size() == kStretchBytes) changed_.notify_all();
  }
}

void RelayedBlob::end(const BlobRef& blob) {
  const std::lock_guard lock(mutex_);
  whole_ = blob;
  changed_.notify_all();
}

void RelayedBlob::give_up() {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
  changed_.notify_all();
}

void RelayedBlob::drop() {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
  std::string().swap(made_);
  std::string().swap(sent_);
  changed_.notify_all();
}

std::optional<BlobRef> RelayedBlob::whole() {
  const std::lock_guard lock(mutex_);
  return whole_;
}

Result<BlobPart> RelayedBlob::part(std::uint64_t offset, std::uint64_t most, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (offset == begin_ + sent_.size()) {
    begin_ = offset;
    sent_.clear();
    changed_.wait(lock, stop, [&] { return given_up_ || whole_ || made_.size() == kStretchBytes; });
    if (stop.stop_requested()) return fail(interrupted_error());
    std::swap(sent_, made_);
    changed_.notify_all();
  }
  if (given_up_ || offset < begin_ || offset > begin_ + sent_.size())
    return fail(step_error("A blob that is still being made cannot be sent from there"));
  // Nobody else touches `sent_` until the next part is asked for.
  std::string_view left = std::string_view(sent_).substr(offset - begin_, most);
  const std::size_t size = left.size();
  return BlobPart{size, [left](std::span<char> into) mutable -> Result<std::size_t> {
                    const std::size_t count = left.copy(into.data(), into.size());
                    left.remove_prefix(count);
                    return count;
                  }};
}

}  // namespace trainmake
