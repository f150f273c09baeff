#include "rules/image/tar_check.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kLongestText = std::uint64_t{1} << 20U;
constexpr std::uint64_t kLargestEntry = std::uint64_t{1} << 60U;
constexpr std::size_t kMostTold = 20;
constexpr std::string_view kWhiteout = ".wh.", kOpaque = ".wh..wh..opq";

// The fields of a ustar header (POSIX.1-1988) that matter here.
struct Field {
  std::size_t start, length;
};
constexpr Field kName{0, 100}, kSize{124, 12}, kTime{136, 12}, kSum{148, 8}, kLink{157, 100}, kMagic{257, 6},
    kUser{265, 32}, kGroup{297, 32}, kPrefix{345, 155};
constexpr std::size_t kType = 156;

std::string_view text_in(std::string_view block, Field field) {
  const std::string_view all = block.substr(field.start, field.length);
  return all.substr(0, all.find('\0'));
}

// Octal digits, or with the first bit set what GNU writes of larger ones: big-endian bytes.
std::optional<std::uint64_t> number_in(std::string_view block, Field field) {
  const std::string_view bytes = block.substr(field.start, field.length);
  const auto first = static_cast<std::uint8_t>(bytes.front());
  if ((first & 0x80U) == 0) {
    const std::string_view digits = trim(text_in(block, field));
    return digits.empty() ? std::optional<std::uint64_t>(0) : whole_number<std::uint64_t>(digits, 8);
  }
  std::uint64_t value = first & 0x7fU;
  for (const char byte : bytes.substr(1)) {
    if (value > (UINT64_MAX >> 8U)) return std::nullopt;
    value = (value << 8U) | static_cast<std::uint8_t>(byte);
  }
  return value;
}

// Of all bytes, those of the sum itself taken as blanks.
std::uint64_t sum_of(std::string_view block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool of_sum = i >= kSum.start && i < kSum.start + kSum.length;
    sum += of_sum ? std::uint64_t{' '} : static_cast<std::uint8_t>(block[i]);
  }
  return sum;
}

bool is_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == bytes.npos; }

bool climbs(std::string_view path) {
  const std::vector<std::string> parts = split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

// As what it names: `./a/` and `a` are one.
std::string_view bare(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path == "." ? std::string_view() : path;
}

}  // namespace

struct TarCheck::Entry {
  std::string raw;  // its path as written
  std::string_view path;
  std::string link;
  char type = '0';
  std::uint64_t size = 0;
  bool has_time = false, has_owner = false;

  bool is_folder() const { return type == '5'; }
  bool is_file() const { return type == '0' || type == '\0' || type == '7'; }
};

void TarCheck::tell(std::string what) {
  if (wrong_.size() < kMostTold)
    wrong_.push_back(std::move(what));
  else
    ++untold_;
}

void TarCheck::add(std::string_view bytes) {
  while (!bytes.empty() && !lost_) {
    if (left_ > 0) {
      const std::size_t count = std::min<std::uint64_t>(left_, bytes.size());
      if (text_type_ != 0) text_ += bytes.substr(0, count);
      bytes.remove_prefix(count);
      left_ -= count;
      if (left_ == 0 && text_type_ != 0) take_text();
      continue;
    }
    const std::size_t count = std::min(kBlock - block_.size(), bytes.size());
    block_ += bytes.substr(0, count);
    bytes.remove_prefix(count);
    if (block_.size() == kBlock) take_block();
  }
}

void TarCheck::take_block() {
  if (is_zero(block_)) {
    ++empty_blocks_;
  } else if (empty_blocks_ > 1) {
    tell("has something after its end");
    lost_ = true;
  } else {
    if (empty_blocks_ == 1) tell("has an empty block between its entries");
    empty_blocks_ = 0;
    take_header();
  }
  block_.clear();
}

void TarCheck::take_header() {
  const std::optional<std::uint64_t> sum = number_in(block_, kSum), size = number_in(block_, kSize);
  if (sum != sum_of(block_) || !size || *size > kLargestEntry) {
    tell("has a header that is damaged");
    lost_ = true;
    return;
  }
  const char type = block_[kType];
  const auto take = [&](std::uint64_t bytes) { left_ = (bytes + kBlock - 1) / kBlock * kBlock; };
  if (std::string_view("xgLK").find(type) != std::string_view::npos) {
    if (*size > kLongestText) {
      tell(cat("has a header of ", human_bytes(*size)));
      lost_ = true;
      return;
    }
    text_type_ = type;
    text_size_ = *size;
    take(*size);
    if (left_ == 0) take_text();
    return;
  }
  Entry entry;
  entry.type = type;
  const std::string_view magic = text_in(block_, kMagic), prefix = text_in(block_, kPrefix);
  const bool has_prefix = magic == "ustar" && !prefix.empty();
  entry.raw = path_ ? *path_ : cat(has_prefix ? cat(prefix, "/") : std::string(), text_in(block_, kName));
  entry.path = bare(entry.raw);
  entry.link = link_ ? *link_ : std::string(text_in(block_, kLink));
  entry.size = size_.value_or(*size);
  entry.has_time = has_time_ || number_in(block_, kTime) != std::uint64_t{0};
  entry.has_owner = has_owner_ || !text_in(block_, kUser).empty() || !text_in(block_, kGroup).empty();
  path_.reset(), link_.reset(), size_.reset();
  has_time_ = has_owner_ = false;
  check(entry);
  if (entry.is_file() || std::string_view("123456").find(type) == std::string_view::npos) take(entry.size);
}

void TarCheck::take_text() {
  const std::string text = text_.substr(0, text_size_);
  if (text_type_ == 'x' || text_type_ == 'g')
    take_pax(text);
  else
    (text_type_ == 'L' ? path_ : link_) = text.substr(0, text.find('\0'));
  text_.clear();
  text_type_ = 0;
}

// `LENGTH key=value\n`, where LENGTH counts itself.
void TarCheck::take_pax(std::string_view records) {
  while (!records.empty()) {
    const std::size_t blank = records.find(' ');
    const auto length = whole_number<std::size_t>(records.substr(0, blank));
    const bool whole = blank != records.npos && length && *length > blank + 1 && *length <= records.size() &&
                       records[*length - 1] == '\n';
    const std::string_view record = whole ? records.substr(blank + 1, *length - blank - 2) : "";
    const std::size_t equals = record.find('=');
    if (!whole || equals == record.npos || equals == 0) return tell("has a PAX record that is damaged");
    pax_record(record.substr(0, equals), record.substr(equals + 1));
    records.remove_prefix(*length);
  }
}

void TarCheck::pax_record(std::string_view key, std::string_view value) {
  if (text_type_ == 'g') return;  // of all that follows; what is in use there names a commit
  if (key == "path") path_ = value;
  if (key == "linkpath") link_ = value;
  if (key == "mtime" || key == "atime" || key == "ctime") has_time_ = true;
  if (key == "uname" || key == "gname") has_owner_ = true;
  if (key != "size") return;
  size_ = whole_number<std::uint64_t>(value);
  if (size_ && *size_ <= kLargestEntry) return;
  tell(cat("has an entry of the size ", quoted(value)));
  lost_ = true;
}

void TarCheck::check(const Entry& entry) {
  if (entry.type != '\0' && (entry.type < '0' || entry.type > '7'))
    tell(cat("has ", quoted(entry.raw), " of the unknown kind ", quoted(std::string(1, entry.type))));
  check_path(entry);
  const std::string_view name = entry.path.substr(entry.path.rfind('/') + 1);
  if (name.starts_with(kWhiteout)) check_whiteout(entry, name);
  if (entry.type == '1' && (entry.link.starts_with('/') || climbs(entry.link)))
    tell(cat("has ", quoted(entry.raw), " as a hard link to ", quoted(entry.link), ", outside of the layer"));
  if (maker_ == TarMaker::kUs) check_ours(entry);
}

void TarCheck::check_path(const Entry& entry) {
  if (entry.raw.empty() || entry.raw.find('\0') != std::string::npos)
    return tell(cat("has an entry whose name is ", entry.raw.empty() ? "empty" : quoted(entry.raw)));
  const bool is_root = entry.raw == "/";  // as some write it
  if (entry.raw.starts_with('/') && (!is_root || maker_ == TarMaker::kUs))
    tell(cat("has ", quoted(entry.raw), ", which is absolute"));
  if (climbs(entry.raw)) tell(cat("has ", quoted(entry.raw), ", which leads out of its folder"));
  if (!paths_.insert(digest_of(entry.path)).second) tell(cat("has ", quoted(entry.raw), " twice"));
}

void TarCheck::check_whiteout(const Entry& entry, std::string_view name) {
  const std::string_view removed = name.substr(kWhiteout.size());
  const bool names_something = name == kOpaque || (!removed.empty() && removed != "." && removed != ".." &&
                                                   !removed.starts_with(kWhiteout));
  if (!names_something || !entry.is_file() || entry.size > 0)
    tell(cat("has ", quoted(entry.raw), ", which is no whiteout but is named as one"));
}

void TarCheck::check_ours(const Entry& entry) {
  if (entry.has_time) tell(cat("has a time with ", quoted(entry.raw)));
  if (entry.has_owner) tell(cat("has the name of an owner with ", quoted(entry.raw)));
  if (entry.is_folder()) return;
  if (!last_.empty() && entry.path <= last_)
    tell(cat("has ", quoted(entry.raw), " after ", quoted(last_), ", and is not sorted"));
  last_ = entry.path;
}

std::vector<std::string> TarCheck::finish() {
  if (!lost_ && (left_ > 0 || !block_.empty())) tell("ends in the middle of an entry");
  if (!lost_ && (path_ || link_ || size_)) tell("ends after a header that belongs to another");
  if (!lost_ && maker_ == TarMaker::kUs && empty_blocks_ != 2) tell("does not end with two empty blocks");
  if (untold_ > 0) wrong_.push_back(cat("has ", untold_, " more such faults"));
  return std::move(wrong_);
}

}  // namespace trainmake
