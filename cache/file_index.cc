#include "cache/file_index.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/base/error.h"

namespace trainmake {
namespace {

static_assert(std::endian::native == std::endian::little, "the index is read as it lies");

struct Header {
  char magic[8] = {'t', 'm', 'i', 'n', 'd', 'e', 'x', '2'};
  std::uint64_t count = 0;
  std::uint64_t path_bytes = 0;
  std::uint64_t digest_high = 0;  // of all that follows the header
  std::uint64_t digest_low = 0;
};

struct Row {
  std::uint64_t size;
  std::int64_t mtime_ns;
  std::int64_t ctime_ns;
  std::uint64_t inode;
  std::uint64_t digest_high;
  std::uint64_t digest_low;
  std::uint64_t path_start;  // among the paths, which follow the rows
  std::uint32_t path_length;
  std::uint16_t mode;
  std::uint8_t age;
  std::uint8_t holds_key;
};
static_assert(sizeof(Header) == 40 && sizeof(Row) == 64);

Row row_at(const std::string& bytes, std::size_t at) {
  Row row;
  std::memcpy(&row, bytes.data() + sizeof(Header) + at * sizeof(Row), sizeof row);
  return row;
}

}  // namespace

std::optional<FileIndex> FileIndex::parse(std::string bytes) {
  Header header;
  const Header expected;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::size_t rest = bytes.size() - sizeof header;
  if (std::memcmp(header.magic, expected.magic, sizeof header.magic) != 0) return std::nullopt;
  if (header.path_bytes > rest || (rest - header.path_bytes) % sizeof(Row) != 0) return std::nullopt;
  if (header.count != (rest - header.path_bytes) / sizeof(Row)) return std::nullopt;
  const Digest128 digest = digest_of(std::string_view(bytes).substr(sizeof header));
  if (digest != Digest128{header.digest_high, header.digest_low}) return std::nullopt;
  for (std::size_t at = 0; at < header.count; ++at) {
    const Row row = row_at(bytes, at);
    if (row.path_start > header.path_bytes || row.path_length > header.path_bytes - row.path_start)
      return std::nullopt;
  }
  FileIndex index;
  index.bytes_ = std::move(bytes);
  index.count_ = header.count;
  return index;
}

FileIndex::Writer::Writer(std::size_t entries, std::size_t path_bytes) {
  bytes_.reserve(sizeof(Header) + entries * sizeof(Row) + path_bytes);
  bytes_.resize(sizeof(Header));
  paths_.reserve(path_bytes);
}

void FileIndex::Writer::add(const Entry& entry) {
  const Row row{entry.stat.size,
                entry.stat.mtime_ns,
                entry.stat.ctime_ns,
                entry.stat.inode,
                entry.digest.high,
                entry.digest.low,
                paths_.size(),
                static_cast<std::uint32_t>(entry.path.size()),
                static_cast<std::uint16_t>(entry.stat.mode),
                static_cast<std::uint8_t>(entry.age),
                static_cast<std::uint8_t>(entry.holds_key ? 1 : 0)};
  bytes_.append(reinterpret_cast<const char*>(&row), sizeof row);
  paths_ += entry.path;
  ++count_;
}

std::string FileIndex::Writer::finish() {
  bytes_ += paths_;
  Header header;
  header.count = count_;
  header.path_bytes = paths_.size();
  const Digest128 digest = digest_of(std::string_view(bytes_).substr(sizeof header));
  header.digest_high = digest.high;
  header.digest_low = digest.low;
  std::memcpy(bytes_.data(), &header, sizeof header);
  return std::move(bytes_);
}

std::size_t FileIndex::path_bytes() const {
  return count_ == 0 ? 0 : bytes_.size() - sizeof(Header) - count_ * sizeof(Row);
}

FileIndex::Entry FileIndex::operator[](std::size_t at) const {
  const Row row = row_at(bytes_, at);
  Entry entry;
  entry.path = path_at(at);
  entry.stat = {row.size, row.mtime_ns, row.ctime_ns, row.inode, row.mode, FileKind::kFile};
  entry.digest = {row.digest_high, row.digest_low};
  entry.age = row.age;
  entry.holds_key = row.holds_key != 0;
  return entry;
}

std::string_view FileIndex::path_at(std::size_t at) const {
  const Row row = row_at(bytes_, at);
  return std::string_view(bytes_).substr(sizeof(Header) + count_ * sizeof(Row) + row.path_start,
                                         row.path_length);
}

std::size_t FileIndex::lower_bound(std::string_view path, std::size_t from) const {
  std::size_t step = 1, low = from, high = from;
  while (high < count_ && path_at(high) < path) {
    low = high + 1;
    high = low + step;
    step *= 2;
  }
  high = std::min(high, count_);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (path_at(middle) < path) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace trainmake
