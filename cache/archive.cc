#include "cache/archive.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kBuffer = 256 * 1024;
constexpr std::uint64_t kLargestPax = 64 * 1024;
constexpr std::uint64_t kLargestPlain = 077777777777;  // that eleven octal digits hold

// The fields of a ustar header (POSIX.1-1988) that matter here.
struct Field {
  std::size_t start, length;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kTime{136, 12},
    kSum{148, 8}, kMagic{257, 8}, kPrefix{345, 155};
constexpr std::size_t kType = 156;
constexpr std::string_view kUstar("ustar\00000", 8);

using Block = std::array<char, kBlock>;

void put_text(Block& block, Field field, std::string_view text) {
  std::copy_n(text.data(), std::min(text.size(), field.length), block.data() + field.start);
}

void put_octal(Block& block, Field field, std::uint64_t value) {
  for (std::size_t i = field.length - 1; i-- > 0; value >>= 3U)
    block[field.start + i] = static_cast<char>('0' + (value & 7U));
}

std::string_view text_in(const Block& block, Field field) {
  const std::string_view all(block.data() + field.start, field.length);
  return all.substr(0, all.find('\0'));
}

std::optional<std::uint64_t> octal_in(const Block& block, Field field) {
  return whole_number<std::uint64_t>(trim(text_in(block, field)), 8);
}

// Of all bytes, those of the sum itself taken as blanks.
std::uint64_t sum_of(const Block& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool of_sum = i >= kSum.start && i < kSum.start + kSum.length;
    sum += of_sum ? std::uint64_t{' '} : static_cast<std::uint8_t>(block[i]);
  }
  return sum;
}

Block header_of(std::string_view name, std::uint64_t size, char type) {
  Block block{};
  put_text(block, kName, name);
  put_octal(block, kMode, 0644);
  put_octal(block, kUid, 0);
  put_octal(block, kGid, 0);
  put_octal(block, kSize, std::min(size, kLargestPlain));
  put_octal(block, kTime, 0);
  put_text(block, kMagic, kUstar);
  block[kType] = type;
  put_octal(block, {kSum.start, 7}, sum_of(block));
  block[kSum.start + 7] = ' ';
  return block;
}

// `LENGTH key=value\n`, where LENGTH counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::string rest = cat(' ', key, '=', value, '\n');
  std::size_t length = rest.size() + 1;
  while (cat(length).size() + rest.size() != length) length = cat(length).size() + rest.size();
  return cat(length, rest);
}

std::size_t padding_of(std::uint64_t size) {
  return static_cast<std::size_t>((kBlock - size % kBlock) % kBlock);
}

// Names and sizes that a pax header gives to the entry after it.
struct Pax {
  std::optional<std::string> path;
  std::optional<std::uint64_t> size;
};

std::optional<Pax> parse_pax(std::string_view text) {
  Pax pax;
  while (!text.empty()) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    const auto length = whole_number<std::size_t>(text.substr(0, blank));
    if (!length || *length > text.size() || *length < blank + 2 || text[*length - 1] != '\n')
      return std::nullopt;
    const std::string_view record = text.substr(blank + 1, *length - blank - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") pax.path = value;
    if (key == "size") {
      pax.size = whole_number<std::uint64_t>(value);
      if (!pax.size) return std::nullopt;
    }
    text.remove_prefix(*length);
  }
  return pax;
}

bool stays_below(std::string_view name) {
  if (name.empty() || name.starts_with('/') || name.find('\0') != std::string_view::npos) return false;
  return path_clean(name) == name;
}

}  // namespace

struct ArchiveWriter::Inside {
  FileWriter& out;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::string packed = std::string(ZSTD_CStreamOutSize(), '\0');

  Result<void> write(std::string_view bytes, ZSTD_EndDirective directive = ZSTD_e_continue) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    while (true) {
      ZSTD_outBuffer into{packed.data(), packed.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context.get(), &into, &in, directive);
      CHECK(ZSTD_isError(left) == 0);
      TRY(out.append(std::string_view(packed).substr(0, into.pos)));
      if (in.pos == in.size && (directive == ZSTD_e_continue || left == 0)) return {};
    }
  }
  Result<void> write(const Block& block) { return write(std::string_view(block.data(), block.size())); }
  Result<void> pad(std::uint64_t size) { return write(std::string(padding_of(size), '\0')); }

  Result<void> begin(std::string_view name, std::uint64_t size) {
    std::string pax;
    if (name.size() > kName.length) pax += pax_record("path", name);
    if (size > kLargestPlain) pax += pax_record("size", cat(size));
    if (!pax.empty()) {
      TRY(write(header_of("pax", pax.size(), 'x')));
      TRY(write(pax));
      TRY(pad(pax.size()));
    }
    return write(header_of(name, size, '0'));
  }
};

ArchiveWriter::ArchiveWriter(FileWriter& out) : inside_(new Inside{out}) {
  CHECK(ZSTD_isError(ZSTD_CCtx_setParameter(inside_->context.get(), ZSTD_c_checksumFlag, 1)) == 0);
}

ArchiveWriter::~ArchiveWriter() = default;

Result<std::uint64_t> ArchiveWriter::add(FileSystem& files, const std::string& path, std::string_view name,
                                         const std::stop_token& stop) {
  CHECK(stays_below(name));
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files.open(path));
  TRY_ASSIGN(const Stat stat, reader->stat());
  TRY(inside_->begin(name, stat.size));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBuffer);
  for (std::uint64_t left = stat.size; left > 0;) {
    if (stop.stop_requested()) return fail(interrupted_error());
    TRY_ASSIGN(
        const std::size_t count,
        reader->read({buffer.get(), static_cast<std::size_t>(std::min<std::uint64_t>(left, kBuffer))}));
    if (count == 0)
      return fail(user_error(cat("File ", quoted(path), " became shorter while it was read"),
                             "Run it again when nothing else writes there"));
    TRY(inside_->write(std::string_view(buffer.get(), count)));
    left -= count;
  }
  TRY(inside_->pad(stat.size));
  return stat.size;
}

Result<void> ArchiveWriter::finish() { return inside_->write(std::string(2 * kBlock, '\0'), ZSTD_e_end); }

struct ArchiveReader::Inside {
  FileReader& in;
  std::string name;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context{ZSTD_createDCtx(), ZSTD_freeDCtx};
  std::string packed = std::string(ZSTD_DStreamInSize(), '\0');
  ZSTD_inBuffer unread{packed.data(), 0, 0};
  bool mid_frame = false;
  std::uint64_t left = 0;   // of the entry
  std::size_t padding = 0;  // after it

  Error damaged(std::string_view why) const {
    return user_error(cat("Archive ", quoted(name), " cannot be read: ", why),
                      "`trainmake cache export FILE` writes one");
  }

  // Fills `into` unless the archive ends.
  Result<std::size_t> unpack(std::span<char> into) {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos < out.size) {
      if (unread.pos == unread.size) {
        TRY_ASSIGN(unread.size, in.read(packed));
        unread.pos = 0;
        if (unread.size == 0 && !mid_frame) break;
        if (unread.size == 0) return fail(damaged("it ends too early"));
      }
      const std::size_t result = ZSTD_decompressStream(context.get(), &out, &unread);
      if (ZSTD_isError(result) != 0) return fail(damaged(ZSTD_getErrorName(result)));
      mid_frame = result != 0;
    }
    return out.pos;
  }

  Result<void> unpack_all(std::span<char> into) {
    TRY_ASSIGN(const std::size_t count, unpack(into));
    if (count < into.size()) return fail(damaged("it ends too early"));
    return {};
  }

  Result<void> pass_over(std::uint64_t bytes) {
    std::array<char, 8 * kBlock> dropped;
    while (bytes > 0) {
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, dropped.size()));
      TRY(unpack_all(std::span(dropped).first(piece)));
      bytes -= piece;
    }
    return {};
  }

  // An empty optional for the block of zeros at the end.
  Result<std::optional<Block>> header() {
    Block block;
    TRY(unpack_all(block));
    if (std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; }))
      return std::optional<Block>();
    if (octal_in(block, kSum) != sum_of(block)) return fail(damaged("it is no tar, or a damaged one"));
    return block;
  }

  Result<Pax> pax(std::uint64_t size) {
    if (size > kLargestPax) return fail(damaged("a header in it is too long"));
    std::string text(static_cast<std::size_t>(size), '\0');
    TRY(unpack_all(text));
    TRY(pass_over(padding_of(size)));
    const std::optional<Pax> parsed = parse_pax(text);
    if (!parsed) return fail(damaged("a header in it is malformed"));
    return *parsed;
  }
};

ArchiveReader::ArchiveReader(FileReader& in, std::string name) : inside_(new Inside{in, std::move(name)}) {}
ArchiveReader::~ArchiveReader() = default;

Result<std::optional<ArchiveReader::Entry>> ArchiveReader::next() {
  Inside& inside = *inside_;
  TRY(inside.pass_over(inside.left));
  TRY(inside.pass_over(inside.padding));
  inside.left = inside.padding = 0;
  Pax pax;
  while (true) {
    TRY_ASSIGN(const std::optional<Block> block, inside.header());
    if (!block) return std::optional<Entry>();
    std::optional<std::uint64_t> size = octal_in(*block, kSize);
    if (!size) return fail(inside.damaged("a size in it is malformed"));
    const char type = (*block)[kType];
    if (type == 'x') {
      TRY_ASSIGN(pax, inside.pax(*size));
      continue;
    }
    const std::string_view prefix = text_in(*block, kPrefix);
    Entry entry{cat(prefix, prefix.empty() ? "" : "/", text_in(*block, kName)), *size};
    if (pax.path) entry.name = *pax.path;
    if (pax.size) entry.size = *pax.size;
    if (type != '0' && type != '\0')
      return fail(inside.damaged(cat(quoted(entry.name), " in it is no regular file")));
    if (!stays_below(entry.name))
      return fail(inside.damaged(cat("the name ", quoted(entry.name), " in it leads elsewhere")));
    inside.left = entry.size;
    inside.padding = padding_of(entry.size);
    return entry;
  }
}

Result<std::size_t> ArchiveReader::read(std::span<char> into) {
  const std::span<char> wanted =
      into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), inside_->left)));
  TRY(inside_->unpack_all(wanted));
  inside_->left -= wanted.size();
  return wanted.size();
}

}  // namespace trainmake
