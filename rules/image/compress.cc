#include "rules/image/compress.h"

#include <libdeflate.h>

#include <algorithm>

namespace trainmake {
namespace {

constexpr std::size_t kMemberBytes = std::size_t{1} << 20U;
constexpr int kLevel = 6;

}  // namespace

struct GzipMembers::Compressor {
  libdeflate_compressor* handle = libdeflate_alloc_compressor(kLevel);
  std::string out = std::string(libdeflate_gzip_compress_bound(handle, kMemberBytes), '\0');
  ~Compressor() { libdeflate_free_compressor(handle); }
};

GzipMembers::GzipMembers(ByteSink sink)
    : compressor_(std::make_unique<Compressor>()), sink_(std::move(sink)) {
  waiting_.reserve(kMemberBytes);
}
GzipMembers::~GzipMembers() = default;

Result<void> GzipMembers::flush() {
  const std::size_t count = libdeflate_gzip_compress(compressor_->handle, waiting_.data(), waiting_.size(),
                                                     compressor_->out.data(), compressor_->out.size());
  CHECK(count != 0);
  waiting_.clear();
  return sink_(std::string_view(compressor_->out).substr(0, count));
}

Result<void> GzipMembers::add(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t taken = std::min(bytes.size(), kMemberBytes - waiting_.size());
    waiting_ += bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    if (waiting_.size() == kMemberBytes) TRY(flush());
  }
  return {};
}

Result<void> GzipMembers::finish() { return waiting_.empty() ? Result<void>() : flush(); }

}  // namespace trainmake
