#include "rules/image/uncompress.h"

#include <zlib.h>
#include <zstd.h>

#include <string>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10U;

Failure damaged(std::string_view how) { return fail(step_error(cat("It is no whole ", how))); }

}  // namespace

class Uncompressor::Stream {
 public:
  virtual ~Stream() = default;
  virtual Result<void> add(std::string_view bytes) = 0;
  virtual Result<void> finish() = 0;
};

namespace {

class Plain final : public Uncompressor::Stream {
 public:
  explicit Plain(ByteSink sink) : sink_(std::move(sink)) {}
  Result<void> add(std::string_view bytes) override { return sink_(bytes); }
  Result<void> finish() override { return {}; }

 private:
  ByteSink sink_;
};

// By zlib: libdeflate wants a member whole.
class Gzip final : public Uncompressor::Stream {
 public:
  explicit Gzip(ByteSink sink) : sink_(std::move(sink)), out_(kPiece, '\0') {
    constexpr int kGzipAlone = 16 + MAX_WBITS;
    CHECK(inflateInit2(&zlib_, kGzipAlone) == Z_OK);
  }
  ~Gzip() override { inflateEnd(&zlib_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  Result<void> add(std::string_view bytes) override {
    zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    zlib_.avail_in = static_cast<uInt>(bytes.size());
    do {
      if (at_end_ && zlib_.avail_in == 0) return {};
      if (at_end_) CHECK(inflateReset(&zlib_) == Z_OK);  // another member
      at_end_ = false;
      zlib_.next_out = reinterpret_cast<Bytef*>(out_.data());
      zlib_.avail_out = static_cast<uInt>(out_.size());
      const int status = inflate(&zlib_, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return damaged("gzip");
      at_end_ = status == Z_STREAM_END;
      TRY(sink_(std::string_view(out_).substr(0, out_.size() - zlib_.avail_out)));
    } while (zlib_.avail_in > 0 || zlib_.avail_out == 0);
    return {};
  }

  Result<void> finish() override { return at_end_ ? Result<void>() : damaged("gzip"); }

 private:
  ByteSink sink_;
  std::string out_;
  z_stream zlib_{};
  bool at_end_ = false;  // of a member
};

class Zstd final : public Uncompressor::Stream {
 public:
  explicit Zstd(ByteSink sink) : sink_(std::move(sink)), out_(kPiece, '\0'), zstd_(ZSTD_createDStream()) {
    CHECK(zstd_ != nullptr);
  }
  ~Zstd() override { ZSTD_freeDStream(zstd_); }
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;

  Result<void> add(std::string_view bytes) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (bool full = false; in.pos < in.size || full;) {
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      wanted_ = ZSTD_decompressStream(zstd_, &out, &in);
      if (ZSTD_isError(wanted_) != 0) return damaged("zstd");
      TRY(sink_(std::string_view(out_).substr(0, out.pos)));
      full = out.pos == out.size && wanted_ != 0;
    }
    return {};
  }

  Result<void> finish() override { return wanted_ == 0 ? Result<void>() : damaged("zstd"); }

 private:
  ByteSink sink_;
  std::string out_;
  ZSTD_DStream* zstd_;
  std::size_t wanted_ = 1;  // 0 at the end of a frame
};

std::unique_ptr<Uncompressor::Stream> make_stream(std::optional<Compression> compression, ByteSink sink) {
  if (compression == Compression::kGzip) return std::make_unique<Gzip>(std::move(sink));
  if (compression == Compression::kZstd) return std::make_unique<Zstd>(std::move(sink));
  return std::make_unique<Plain>(std::move(sink));
}

}  // namespace

std::optional<Compression> compression_of(std::string_view media_type) {
  if (media_type.ends_with("gzip")) return Compression::kGzip;
  return media_type.ends_with("zstd") ? std::optional(Compression::kZstd) : std::nullopt;
}

Uncompressor::Uncompressor(std::optional<Compression> compression, ByteSink sink)
    : stream_(make_stream(compression, std::move(sink))) {}
Uncompressor::~Uncompressor() = default;

Result<void> Uncompressor::add(std::string_view bytes) { return stream_->add(bytes); }
Result<void> Uncompressor::finish() { return stream_->finish(); }

}  // namespace trainmake
