#include "rules/image/tar.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kOctalMax = 077777777777;  // eleven octal digits
constexpr std::uint64_t kOwnerMax = 07777777;

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

char type_of(TarEntry::Kind kind) {
  switch (kind) {
    case TarEntry::Kind::kFile:
      return '0';
    case TarEntry::Kind::kHardLink:
      return '1';
    case TarEntry::Kind::kLink:
      return '2';
    case TarEntry::Kind::kFolder:
      return '5';
  }
  return '0';
}

// What of an entry no ustar header holds, as PAX records. Extended attributes as star and GNU tar write them,
// which is what runtimes read.
std::string pax_of(const TarEntry& entry, const std::string& name) {
  std::string pax;
  // Names are UTF-8 there, unless this says that they are bytes; it has to stand first.
  if (!is_utf8(name) || !is_utf8(entry.link_target)) pax += pax_record("hdrcharset", "BINARY");
  if (name.size() > 100 || !is_ascii(name)) pax += pax_record("path", name);
  if (entry.link_target.size() > 100 || !is_ascii(entry.link_target))
    pax += pax_record("linkpath", entry.link_target);
  if (entry.size > kOctalMax) pax += pax_record("size", cat(entry.size));
  if (entry.uid > kOwnerMax) pax += pax_record("uid", cat(entry.uid));
  if (entry.gid > kOwnerMax) pax += pax_record("gid", cat(entry.gid));
  for (const auto& [key, value] : entry.xattrs) pax += pax_record(cat("SCHILY.xattr.", key), value);
  return pax;
}

std::string header_bytes(const TarEntry& entry, std::string_view name, char type) {
  Header header;
  std::memset(&header, 0, sizeof header);
  put_text(header.name, name);
  put_octal(header.mode, entry.mode);
  put_octal(header.uid, std::min(entry.uid, kOwnerMax));
  put_octal(header.gid, std::min(entry.gid, kOwnerMax));
  put_octal(header.size, std::min(entry.size, kOctalMax));
  put_octal(header.mtime, 0);
  header.type = type;
  put_text(header.link, entry.link_target);
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
  CHECK(entry.size == 0 || entry.kind == TarEntry::Kind::kFile);
  for (const auto& [key, value] : entry.xattrs) {
    if (key.find('=') != key.npos)
      return fail(step_error(cat(quoted(entry.path), " has an extended attribute ", quoted(key),
                                 ", and no layer holds a name with `=`")));
  }
  const std::string name = entry.kind == TarEntry::Kind::kFolder ? entry.path + "/" : entry.path;
  if (const std::string pax = pax_of(entry, name); !pax.empty()) {
    TRY(sink_(header_bytes({TarEntry::Kind::kFile, "", 0644, pax.size()}, "PaxHeaders.0/entry", 'x')));
    written_ = pax.size();
    TRY(sink_(pax));
    TRY(pad());
  }
  TRY(sink_(header_bytes(entry, name, type_of(entry.kind))));
  open_ = entry.size;
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
