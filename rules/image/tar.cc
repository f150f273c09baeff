#include "rules/image/tar.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kOctalMax = 077777777777;  // eleven octal digits

struct Header {  // POSIX.1-1988 ustar
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6],
      version[2], user[32], group[32], device_major[8], device_minor[8], prefix[155], rest[12];
};
static_assert(sizeof(Header) == kBlock);

template <std::size_t N>
void put_octal(char (&field)[N], std::uint64_t value) {
  field[N - 1] = '\0';
  for (std::size_t i = N - 1; i-- > 0; value >>= 3U) field[i] = static_cast<char>('0' + (value & 7U));
}

template <std::size_t N>
void put_text(char (&field)[N], std::string_view text) {
  std::memcpy(field, text.data(), std::min(N, text.size()));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t body = key.size() + value.size() + 3;  // blank, =, newline
  std::size_t length = body + 1;
  while (cat(length).size() + body != length) length = cat(length).size() + body;
  return cat(length, " ", key, "=", value, "\n");
}

std::string header_bytes(std::string_view name, char type, std::uint32_t mode, std::uint64_t size,
                         std::string_view link) {
  Header header;
  std::memset(&header, 0, sizeof header);
  put_text(header.name, name);
  put_octal(header.mode, mode);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, std::min(size, kOctalMax));
  put_octal(header.mtime, 0);
  header.type = type;
  put_text(header.link, link);
  put_text(header.magic, std::string_view("ustar\0", 6));
  put_text(header.version, "00");
  put_octal(header.device_major, 0);
  put_octal(header.device_minor, 0);
  std::memset(header.checksum, ' ', sizeof header.checksum);
  std::uint64_t sum = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  for (std::size_t i = 0; i < kBlock; ++i) sum += bytes[i];
  char digits[7];
  put_octal(digits, sum);
  std::memcpy(header.checksum, digits, sizeof digits);
  return {reinterpret_cast<const char*>(&header), kBlock};
}

}  // namespace

Result<void> TarWriter::pad() {
  const std::size_t over = written_ % kBlock;
  written_ = 0;
  if (over == 0) return {};
  return sink_(std::string(kBlock - over, '\0'));
}

Result<void> TarWriter::entry(const TarEntry& entry) {
  CHECK(open_ == 0);
  const bool folder = entry.kind == TarEntry::Kind::kFolder;
  const bool link = entry.kind == TarEntry::Kind::kLink;
  const std::string name = folder ? entry.path + "/" : entry.path;
  std::string pax;
  if (name.size() > 100 || !is_ascii(name)) pax += pax_record("path", name);
  if (entry.link_target.size() > 100 || !is_ascii(entry.link_target))
    pax += pax_record("linkpath", entry.link_target);
  if (entry.size > kOctalMax) pax += pax_record("size", cat(entry.size));
  if (!pax.empty()) {
    TRY(sink_(header_bytes("PaxHeaders.0/entry", 'x', 0644, pax.size(), "")));
    written_ = pax.size();
    TRY(sink_(pax));
    TRY(pad());
  }
  const char type = folder ? '5' : link ? '2' : '0';
  const std::uint64_t size = folder || link ? 0 : entry.size;
  TRY(sink_(header_bytes(name, type, entry.mode, size, entry.link_target)));
  open_ = size;
  return {};
}

Result<void> TarWriter::content(std::string_view bytes) {
  CHECK(bytes.size() <= open_);
  open_ -= bytes.size();
  written_ += bytes.size();
  TRY(sink_(bytes));
  return open_ == 0 ? pad() : Result<void>();
}

Result<void> TarWriter::finish() {
  CHECK(open_ == 0);
  return sink_(std::string(2 * kBlock, '\0'));
}

}  // namespace trainmake
