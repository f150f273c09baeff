#include "cache/stores/s3/s3_upload.h"

#include <algorithm>
#include <thread>

#include "cache/content_digest.h"
#include "cache/file_digests.h"
#include "cache/stores/s3/s3_answers.h"
#include "cache/stores/s3/s3_copy.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kPartsAtOnce = 8;
constexpr char kTab = '\t';
constexpr const char* kEnded = "ended";

std::uint64_t part_bytes_of(std::uint64_t size, const S3Limits& limits) {
  std::uint64_t bytes = limits.part_bytes;
  while (!limits.fixed_parts && size / bytes >= limits.most_parts) bytes *= 2;
  return bytes;
}

std::string upload_query(const std::string& id) { return cat("uploadId=", percent_encoded(id)); }

}  // namespace

std::vector<UploadPart> plan_parts(std::uint64_t size, const std::vector<bool>& same,
                                   const S3Limits& limits) {
  const std::uint64_t sent_bytes = part_bytes_of(size, limits);
  std::vector<UploadPart> parts;
  for (std::uint64_t offset = 0; offset < size;) {
    const auto is_same = [&](std::uint64_t at) { return !same.empty() && same[at / kChunkBytes]; };
    const bool copied = is_same(offset);
    const std::uint64_t most = std::min(size - offset, copied ? limits.copied_part_bytes : sent_bytes);
    std::uint64_t bytes = same.empty() ? most : std::min(most, kChunkBytes);
    while (bytes < most && is_same(offset + bytes) == copied) bytes = std::min(most, bytes + kChunkBytes);
    parts.push_back({offset, bytes, copied});
    offset += bytes;
  }
  return parts;
}

Result<DigestedPiece> digest_piece(FileSystem& files, const std::string& path, std::uint64_t offset,
                                   std::uint64_t size, const std::stop_token& stop) {
  const FileRange range{path, offset, size};
  ChunkDigests chunks;
  Sha256Hasher sha256;
  TRY(read_range(files, range, stop, [&](std::string_view bytes) {
    chunks.add(bytes);
    sha256.raw(bytes);
  }));
  return DigestedPiece{{range, sha256.finish()}, chunks.finish()};
}

S3Upload::S3Upload(FileSystem& files, S3Client& client, const FileToPut& file, std::uint64_t size,
                   std::function<Result<void>()> make_bucket, bool takes_conditions)
    : files_(files),
      client_(client),
      file_(file),
      size_(size),
      make_bucket_(std::move(make_bucket)),
      takes_conditions_(takes_conditions),
      chunks_(chunk_count(size)) {}

std::string S3Upload::doing() const { return cat("put ", quoted(file_.key)); }
// Its content and parts: an upload of another is not taken up.
std::string S3Upload::what() const {
  Hasher hasher;
  hasher.field(file_.content.hex()).field(takes_over_ ? file_.like->tag : "");
  for (const UploadPart& part : parts_) hasher.number(part.offset).number(part.copied ? 1 : 0);
  return hasher.finish().hex();
}

Result<PutFile> S3Upload::run(const std::stop_token& stop) {
  TRY(compare(stop));
  tags_.resize(parts_.size());
  take_up();
  for (;;) {
    if (parts_.size() > client_.place().limits.most_parts)
      return fail(step_error(cat(quoted(file_.path), " is too large for the store: ", human_bytes(size_))));
    if (id_.empty()) TRY(begin(stop));
    Result<std::string> tag = attempt(stop);
    if (tag)
      return PutFile{.tag = *std::move(tag),
                     .sent = sent_,
                     .copied = std::all_of(parts_.begin(), parts_.end(),
                                           [](const UploadPart& part) { return part.copied; }),
                     .chunks = std::move(chunks_)};
    if (again_ == Again::kNo) return fail(std::move(tag).error());
    start_over();
  }
}

Result<std::string> S3Upload::attempt(const std::stop_token& stop) {
  Result<void> sent = send_parts(stop);
  if (sent && digest_of_chunks(chunks_, size_) != file_.content) {
    abandon();
    return fail(changed_while_sent(file_.path));
  }
  if (sent) return complete(stop);
  if (!file_.note) abandon();  // nobody would take it up
  return fail(std::move(sent).error());
}

// What was taken up is no more, or what would have been taken over.
void S3Upload::start_over() {
  if (again_ == Again::kNothingLike) {
    abandon();
    takes_over_ = false;
    parts_ = plan_parts(size_, {}, client_.place().limits);
  }
  id_.clear();
  is_resumed_ = false;
  tags_.assign(parts_.size(), "");
  next_ = 0;
  error_.reset();
  again_ = Again::kNo;
}

// Which of its chunks an earlier object has. That costs reading it once more, and spares what is the same.
Result<void> S3Upload::compare(const std::stop_token& stop) {
  const S3Limits& limits = client_.place().limits;
  std::vector<bool> same;
  const bool may_take_over = file_.like && !limits.fixed_parts && !file_.like->tag.empty();
  if (may_take_over && !file_.like->chunks.empty()) {
    ChunkDigests digests;
    TRY(read_range(files_, {file_.path, 0, size_}, stop,
                   [&](std::string_view bytes) { digests.add(bytes); }));
    chunks_ = digests.finish();
    if (digest_of_chunks(chunks_, size_) != file_.content) return fail(changed_while_sent(file_.path));
    const std::vector<Digest128>& earlier = file_.like->chunks;
    same.resize(chunks_.size());
    for (std::size_t i = 0; i < same.size() && i < earlier.size(); ++i) same[i] = chunks_[i] == earlier[i];
    takes_over_ = std::find(same.begin(), same.end(), true) != same.end();
  }
  parts_ = plan_parts(size_, takes_over_ ? same : std::vector<bool>(), limits);
  if (takes_over_ && parts_.size() > limits.most_parts) {
    takes_over_ = false;
    parts_ = plan_parts(size_, {}, limits);
  }
  return {};
}

// `upload WHAT ID`, and for each finished part `part NUMBER TAG CHUNK,CHUNK`; `ended` when it was given up.
void S3Upload::take_up() {
  const std::string begun = cat("upload", kTab, what(), kTab);
  for (const std::string& note : file_.notes) {
    const std::vector<std::string> words = split(note, kTab);
    if (note == kEnded) {
      id_.clear();
      is_resumed_ = false;
      std::fill(tags_.begin(), tags_.end(), "");
    }
    if (words.size() == 3 && words[0] == "upload") {
      id_ = words[2];
      if (!note.starts_with(begun)) abandon();  // of what the file was, or of other parts
      is_resumed_ = !id_.empty();
      std::fill(tags_.begin(), tags_.end(), "");
    }
    if (words.size() != 4 || words[0] != "part" || id_.empty()) continue;
    const auto number = whole_number<std::size_t>(words[1]);
    if (!number || *number >= parts_.size()) continue;
    std::vector<Digest128> digests;
    for (const std::string& hex : split(words[3], ',')) {
      if (const auto digest = Digest128::parse(hex)) digests.push_back(*digest);
    }
    if (digests.size() != chunk_count(parts_[*number].size)) continue;
    std::copy(digests.begin(), digests.end(),
              chunks_.begin() + static_cast<std::ptrdiff_t>(parts_[*number].offset / kChunkBytes));
    tags_[*number] = words[2];
  }
}

Result<void> S3Upload::begin(const std::stop_token& stop) {
  const S3Request request{"POST", file_.key, "uploads=", {{kContentHeader, file_.content.hex()}}};
  Result<HttpResponse> begun = client_.send(request, doing(), stop, {404});
  if (begun && begun->status == 404 && parse_s3_error(begun->body).code == "NoSuchBucket" &&
      client_.place().create) {
    TRY(make_bucket_());
    begun = client_.send(request, doing(), stop);
  }
  TRY_ASSIGN(const HttpResponse response, std::move(begun));
  const std::optional<std::string> id = field_of_answer(response.body, "UploadId");
  if (!id || id->empty()) return fail(client_.refusal(response, doing()));
  id_ = *id;
  if (file_.note) file_.note(cat("upload", kTab, what(), kTab, id_));
  return {};
}

Result<void> S3Upload::send_parts(const std::stop_token& stop) {
  const auto work = [&] {
    for (;;) {
      std::size_t number = 0;
      {
        const std::lock_guard lock(mutex_);
        while (next_ < parts_.size() && !tags_[next_].empty()) ++next_;
        if (error_ || next_ == parts_.size()) return;
        number = next_++;
      }
      Result<void> done = parts_[number].copied ? copy_part(number, stop) : send_part(number, stop);
      if (done) continue;
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::move(done).error();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(kPartsAtOnce, parts_.size()); ++i) threads.emplace_back(work);
    work();
  }
  return error_ ? Result<void>(fail(*std::move(error_))) : Result<void>();
}

Result<void> S3Upload::send_part(std::size_t number, const std::stop_token& stop) {
  const UploadPart& part = parts_[number];
  TRY_ASSIGN(const DigestedPiece digested, digest_piece(files_, file_.path, part.offset, part.size, stop));
  S3Request request{"PUT", file_.key, cat("partNumber=", number + 1, "&", upload_query(id_))};
  request.piece = &digested.piece;
  TRY_ASSIGN(const HttpResponse response, client_.send(request, doing(), stop, {404}));
  if (response.status == 404) {
    if (is_resumed_) again_ = Again::kUploadGone;
    return fail(client_.refusal(response, doing()));
  }
  finish_part(number, without_quotes(header_value(response, "etag")), digested.chunks);
  const std::lock_guard lock(mutex_);
  sent_ += part.size;
  return {};
}

Result<void> S3Upload::copy_part(std::size_t number, const std::stop_token& stop) {
  const UploadPart& part = parts_[number];
  const S3Request request{
      "PUT",
      file_.key,
      cat("partNumber=", number + 1, "&", upload_query(id_)),
      {{"x-amz-copy-source", client_.place().copy_source(file_.like->key)},
       {"x-amz-copy-source-if-match", cat("\"", file_.like->tag, "\"")},
       {"x-amz-copy-source-range", cat("bytes=", part.offset, "-", part.offset + part.size - 1)}}};
  // Whatever is wrong with it, the file can be sent. An answer of 200 may be an error that came later.
  TRY_ASSIGN(const HttpResponse response,
             client_.send(request, doing(), stop, {400, 403, 404, 405, 412, 501}));
  const std::optional<std::string> tag = field_of_answer(response.body, "ETag");
  if (response.status >= 300 || !tag) {
    again_ = Again::kNothingLike;
    return fail(client_.refusal(response, doing()));
  }
  const S3Copied copied{*file_.like,      {file_.path, part.offset, part.size}, false, response, *tag,
                        takes_conditions_};
  TRY_ASSIGN(const bool is_that, is_right(copied, files_, client_, stop));
  if (!is_that) {
    again_ = Again::kNothingLike;
    return fail(client_.refusal(response, doing()));
  }
  const std::size_t first = part.offset / kChunkBytes;
  finish_part(number, *tag, std::span(chunks_).subspan(first, chunk_count(part.size)));
  return {};
}

void S3Upload::finish_part(std::size_t number, std::string tag, std::span<const Digest128> digests) {
  const std::lock_guard lock(mutex_);
  std::string hexes;
  for (std::size_t i = 0; i < digests.size(); ++i) {
    chunks_[parts_[number].offset / kChunkBytes + i] = digests[i];
    hexes += cat(i == 0 ? "" : ",", digests[i].hex());
  }
  if (file_.note) file_.note(cat("part", kTab, number, kTab, tag, kTab, hexes));
  tags_[number] = std::move(tag);
  if (file_.came) file_.came(parts_[number].size);
}

Result<std::string> S3Upload::complete(const std::stop_token& stop) {
  const std::string document = render_s3_parts(tags_);
  S3Request request{"POST", file_.key, upload_query(id_), {}, document};
  request.may_write = &file_.may_write;
  TRY_ASSIGN(const HttpResponse done, client_.send(request, doing(), stop, {400, 404}));
  const std::optional<std::string> tag = field_of_answer(done.body, "ETag");
  // An answer of 200 may be an error that came later.
  if (done.status < 300 && tag && parse_s3_error(done.body).code.empty()) return *tag;
  // It may have been done when it was asked first, and the answer was lost.
  TRY_ASSIGN(const HttpResponse there, client_.send({"HEAD", file_.key, ""}, doing(), stop, {404}));
  if (there.status != 404 && header_value(there, kContentHeader) == file_.content.hex())
    return without_quotes(header_value(there, "etag"));
  // Parts that the service does not know as they were noted are of no use to anybody.
  if (done.status == 400) abandon();
  const bool is_of_no_use = done.status == 400 ? !was_refused_ : done.status == 404 && is_resumed_;
  was_refused_ = was_refused_ || done.status == 400;
  if (is_of_no_use) again_ = Again::kUploadGone;
  return fail(client_.refusal(done, doing()));
}

// Each is worth a try: a bucket's own rules end what is left.
void S3Upload::give_up(S3Client& client, const std::string& key, const std::vector<std::string>& notes) {
  std::string id;
  for (const std::string& note : notes) {
    const std::vector<std::string> words = split(note, kTab);
    if (note == kEnded) id.clear();
    if (words.size() == 3 && words[0] == "upload") id = words[2];
  }
  if (!id.empty()) (void)client.send({"DELETE", key, upload_query(id)}, cat("put ", quoted(key)), {}, {404});
}

void S3Upload::abandon() {
  (void)client_.send({"DELETE", file_.key, upload_query(id_)}, doing(), {}, {404});
  if (file_.note) file_.note(kEnded);
  id_.clear();
}

}  // namespace trainmake
