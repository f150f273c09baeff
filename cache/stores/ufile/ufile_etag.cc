#include "cache/stores/ufile/ufile_etag.h"

#include <algorithm>

#include "engine/base/encoding.h"

namespace trainmake {
namespace {

constexpr std::size_t kSha1Bytes = 20;

// base64 of urls, with its padding.
std::string url_base64(std::string_view bytes) {
  std::string text = base64_of(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::optional<std::string> from_url_base64(std::string_view given) {
  std::string text(given);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  return from_base64(text);
}

std::string number_bytes(std::size_t number) {  // little endian
  std::string bytes;
  for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift & 255U);
  return bytes;
}

}  // namespace

std::string ufile_etag(std::span<const std::string> blocks) {
  std::string all;
  for (const std::string& block : blocks) all += block;
  const std::string digest = blocks.size() == 1 ? all : sha1(all);
  return url_base64(number_bytes(blocks.size()) + digest);
}

std::string ufile_etag_of(std::string_view bytes) {
  UfileDigests digests;
  digests.add(bytes);
  digests.finish();
  return ufile_etag(digests.blocks);
}

bool is_ufile_etag(std::string_view said, std::string_view expected, std::uint64_t size) {
  return size == 0 ? !said.empty() : said == expected;
}

bool tells_of_bytes(std::string_view etag, std::uint64_t size) {
  const std::optional<std::string> bytes = from_url_base64(etag);
  const std::uint64_t blocks = std::max<std::uint64_t>(1, (size + kUfileBlock - 1) / kUfileBlock);
  return bytes && bytes->size() == 4 + kSha1Bytes && bytes->starts_with(number_bytes(blocks));
}

std::optional<std::string> sha1_of_ufile_part(std::string_view etag) {
  const std::optional<std::string> bytes = from_url_base64(etag);
  const bool is_block = bytes && bytes->size() == 4 + kSha1Bytes && bytes->starts_with(number_bytes(1));
  if (!bytes || (bytes->size() != kSha1Bytes && !is_block)) return std::nullopt;
  return bytes->substr(bytes->size() - kSha1Bytes);
}

void UfileDigests::add(std::string_view bytes) {
  md5_.add(bytes);
  while (!bytes.empty()) {
    const std::string_view now = bytes.substr(0, kUfileBlock - filled_);
    sha1_.add(now);
    filled_ += now.size();
    bytes.remove_prefix(now.size());
    if (filled_ < kUfileBlock) continue;
    blocks.push_back(sha1_.finish());
    filled_ = 0;
  }
}

void UfileDigests::finish() {
  if (filled_ > 0 || blocks.empty()) blocks.push_back(sha1_.finish());
  md5 = md5_.finish();
}

}  // namespace trainmake
