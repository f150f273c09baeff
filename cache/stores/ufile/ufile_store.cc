#include "cache/stores/ufile/ufile_store.h"

#include <algorithm>
#include <vector>

#include "cache/stores/at_once.h"
#include "cache/stores/pages.h"
#include "cache/stores/ufile/ufile_answers.h"
#include "cache/stores/ufile/ufile_client.h"
#include "cache/stores/ufile/ufile_etag.h"
#include "cache/stores/ufile/ufile_upload.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "engine/cloud/hmac.h"

namespace trainmake {
namespace {

constexpr int kListed = 1000;               // keys in an answer
constexpr std::size_t kRemovedAtOnce = 16;  // there is no request for many
constexpr std::size_t kLongestKey = 1023;
constexpr std::uint64_t kSingleBytes = std::uint64_t{64} << 20U;  // a file of no more is one request
constexpr std::uint64_t kCopiedBytes = 100'000'000;               // in one request

std::vector<Digest128> chunks_of_many(const KnownFile& known) {
  return known.chunks.size() > 1 ? known.chunks : std::vector<Digest128>();
}

std::string tag_of(const HttpResponse& response) { return without_quotes(header_value(response, "etag")); }

class EtagCheck final : public TagCheck {
 public:
  explicit EtagCheck(std::string etag) : etag_(std::move(etag)) {}
  void add(std::string_view bytes) override {
    digests_.add(bytes);
    size_ += bytes.size();
  }
  bool holds() override {
    digests_.finish();
    return is_ufile_etag(etag_, ufile_etag(digests_.blocks), size_);
  }

 private:
  std::string etag_;
  UfileDigests digests_;
  std::uint64_t size_ = 0;
};

std::unique_ptr<TagCheck> check_of(const ObjectToRead& object, const HttpResponse& head) {
  const std::optional<std::uint64_t> size = size_of_object(head);
  return size && tells_of_bytes(object.tag, *size) ? std::make_unique<EtagCheck>(object.tag) : nullptr;
}

class UfileStore final : public Store {
 public:
  UfileStore(Host& host, UfilePlace place, Tally& tally)
      : Store({.puts_at_once = place.sends.requests,
               .tags_tell_content = true,
               .takes_conditions = false,
               .is_digest = tells_of_bytes}),
        files_(host.files),
        clock_(host.clock),
        client_(host, std::move(place), tally) {}

  std::shared_ptr<void> heed(const std::stop_token& stop, const Hear& hear) override {
    return client_.heed(stop, hear);
  }

  // A backslash at its begin is theirs to refuse, too.
  Result<void> check(const std::string& key) const override {
    TRY(check_key(client_.place(), key, kLongestKey));
    if (!client_.place().object(key).starts_with('\\')) return {};
    return fail(step_error(cat("No object can be called ", quoted(key), ": it begins with a backslash"),
                           "Rename the file, or give the store a prefix"));
  }

  Result<PutFile> put_file(const FileToPut& file, const std::stop_token& stop) override {
    TRY(check(file.key));
    TRY_ASSIGN(const Stat stat, files_.look(file.path, Links::kFollow));
    const bool is_like = file.like && !file.like->tag.empty() && file.like->content == file.content &&
                         file.like->size == stat.size && stat.size <= kCopiedBytes;
    // What others put there is theirs, and no copy goes over it, should it be these bytes.
    const bool may_be_there = file.there && file.there->size == stat.size;
    if (is_like && !may_be_there) {
      TRY_ASSIGN(std::optional<PutFile> copied, copy(file, stop));
      if (copied) return *std::move(copied);
    }
    TRY_ASSIGN(const KnownFile known, know_file(files_, file, stat.size, stop));
    if (may_be_there && file.there->size == known.size &&
        is_ufile_etag(file.there->tag, known.etag, known.size))
      return PutFile{.tag = file.there->tag, .found = true, .chunks = chunks_of_many(known)};
    if (is_like && may_be_there) {
      TRY_ASSIGN(std::optional<PutFile> copied, copy(file, stop));
      if (copied) return *std::move(copied);
    }
    if (!file.notes.empty()) {
      // All of it may have arrived before it was cut.
      TRY_ASSIGN(const std::optional<StoredObject> there, look(file.key));
      if (there && there->size == known.size && there->tag == known.etag)
        return PutFile{.tag = there->tag, .chunks = chunks_of_many(known)};
    }
    if (known.size > kSingleBytes || (file.like && !file.like->chunks.empty() && known.chunks.size() > 1))
      return UfileUpload(files_, client_, file, known).run(stop);
    if (!file.notes.empty()) give_up(file.key, file.notes);  // of when it was larger
    return put_whole(file, known, stop);
  }

  void give_up(const std::string& key, const std::vector<std::string>& notes) override {
    UfileUpload::give_up(client_, key, notes);
  }

  // The service has no condition for a put: whoever comes between the look and it is not seen.
  Result<std::optional<std::string>> put(const std::string& key, std::string_view bytes,
                                         const Expected& expected, const std::stop_token& stop) override {
    TRY(check(key));
    if (expected) {
      TRY_ASSIGN(const std::optional<StoredObject> there, look_at(key, true, stop));
      if ((there ? there->tag : "") != *expected) return std::optional<std::string>();
    }
    UfileRequest request{"PUT", key, "", {{kUfileContentHeader, digest_of(bytes).hex()}}, bytes};
    request.md5 = hex_of(md5(bytes));
    request.is_urgent = expected.has_value();
    return put_one(request, digest_of(bytes), ufile_etag_of(bytes), expected, stop);
  }

  Result<std::optional<ObjectBytes>> get(const std::string& key) override {
    TRY(check(key));
    const std::string doing = cat("read ", quoted(key));
    TRY_ASSIGN(HttpResponse response, client_.send({"GET", key, ""}, doing, {}, {404}));
    if (response.status == 404) {
      TRY(missing(response, doing));
      return std::optional<ObjectBytes>();
    }
    ObjectBytes found{"", tag_of(response), age_of(response)};
    found.bytes = std::move(response.body);
    return std::optional(std::move(found));
  }

  Result<ReadEnd> read(const ObjectToRead& object, const ByteSink& to, const std::stop_token& stop) override {
    TRY(check(object.key));
    Reading reading(object, to,
                    {tag_of, true, [&](const HttpResponse& head) { return check_of(object, head); }});
    UfileRequest request{"GET", object.key, ""};
    request.reading = &reading;
    const std::string doing = cat("read ", quoted(object.key));
    const Result<HttpResponse> response = client_.send(request, doing, stop, {404, kAnother, kNothingMore});
    if (!response || response->status != 404) return reading.finish(response);
    TRY(missing(*response, doing));
    return ReadEnd::kGone;
  }

  Result<std::optional<StoredObject>> look(const std::string& key) override { return look_at(key, false); }
  Result<std::optional<StoredObject>> look_at_once(const std::string& key) override {
    return look_at(key, true);
  }

  // By ListObjects, whose entries say the ETag; those of PrefixFileList have a hash that is not described.
  // Goes on behind the last key, which is not always what the answer calls the next.
  Result<void> list(const std::string& prefix,
                    const std::function<void(const StoredObject&)>& visit) override {
    const std::string above = client_.place().prefix.empty() ? "" : cat(client_.place().prefix, "/");
    const std::string begin = cat(above, prefix);
    const std::string doing = cat("list ", quoted(prefix));
    for (std::string last;;) {
      const std::string query = cat("listobjects&delimiter=&marker=", percent_encoded(last),
                                    "&max-keys=", kListed, "&prefix=", percent_encoded(begin));
      TRY_ASSIGN(const HttpResponse response, client_.send({"GET", "", query}, doing, {}, {404}));
      if (response.status == 404) return missing(response, doing);
      TRY_ASSIGN(const UfileList list, parse_ufile_list(response.body));
      const std::string before = last;
      for (const UfileListed& object : list.objects) {
        last = std::max(last, object.key);
        if (object.key.starts_with(begin))
          visit({object.key.substr(above.size()), object.size, object.tag, std::nullopt});
      }
      if (!list.is_cut) return {};
      if (last == before) return fail(endless_list(doing, client_.place().name));
    }
  }

  Result<void> remove(std::span<const std::string> keys, const MayWrite& may_write) override {
    for (const std::string& key : keys) TRY(check(key));
    return at_once(keys.size(), kRemovedAtOnce, [&](std::size_t i) -> Result<void> {
      UfileRequest request{"DELETE", keys[i], ""};
      request.may_write = &may_write;
      TRY(client_.send(request, cat("remove ", quoted(keys[i])), {}, {404}));
      return {};
    });
  }

 private:
  Result<std::optional<StoredObject>> look_at(const std::string& key, bool is_urgent,
                                              const std::stop_token& stop = {}) {
    TRY(check(key));
    const std::string doing = cat("look at ", quoted(key));
    UfileRequest request{"HEAD", key, ""};
    request.is_urgent = is_urgent;
    TRY_ASSIGN(const HttpResponse response, client_.send(request, doing, stop, {404}));
    if (response.status == 404) return std::optional<StoredObject>();
    return std::optional(ufile_object(key, response));
  }

  // In a bucket that is made when something is put, there is nothing yet.
  Result<void> missing(const HttpResponse& response, const std::string& doing) const {
    const bool no_bucket = parse_ufile_error(response.body).no_bucket();
    if (no_bucket && !client_.place().create) return fail(client_.refusal(response, doing));
    return {};
  }

  // The tag of what is there by then, which is what was sent; nothing when something else lies there than was
  // expected. An answer that names no tag proves nothing: what lies there is looked at, and it is sent again.
  Result<std::optional<std::string>> put_one(UfileRequest request, const Digest128& content,
                                             std::string_view etag, const Expected& expected,
                                             const std::stop_token& stop) {
    constexpr int kMostTries = 4;
    constexpr std::chrono::milliseconds kPause{500};
    const MayWrite again = [asked = request.may_write](bool) {
      return asked != nullptr && *asked ? (*asked)(true) : Result<void>();
    };
    const std::uint64_t size = request.body_size();
    for (int tries = 1;; ++tries) {
      TRY_ASSIGN(const HttpResponse response, client_.send(request, cat("put ", quoted(request.key)), stop));
      std::string tag = tag_of(response);
      if (is_ufile_etag(tag, etag, size)) return std::optional(std::move(tag));
      TRY_ASSIGN(const std::optional<StoredObject> there, look_at(request.key, request.is_urgent, stop));
      if (there && there->size == size && is_ufile_etag(there->tag, etag, size))
        return std::optional(there->tag);
      if (!tag.empty() || tries == kMostTries)
        return fail(refuse_object(client_, request.key, content, tag, etag, there));
      if (expected && (there ? there->tag : "") != *expected) return std::optional<std::string>();
      request.may_write = &again;
      if (clock_.wait(kPause * tries, stop)) return fail(interrupted_error());
    }
  }

  Result<PutFile> put_whole(const FileToPut& file, const KnownFile& known, const std::stop_token& stop) {
    const FileRange range{file.path, 0, known.size};
    UfileRequest request{"PUT", file.key, "", {{kUfileContentHeader, file.content.hex()}}};
    request.range = &range;
    request.md5 = known.md5;
    request.may_write = &file.may_write;
    PutFile put;
    TRY_ASSIGN(std::optional<std::string> tag, put_one(request, file.content, known.etag, {}, stop));
    put.tag = std::move(tag).value_or("");  // nothing was expected
    put.sent = known.size;
    put.chunks = chunks_of_many(known);
    return put;
  }

  // Nothing when the service would rather have it sent. There is no condition for a copy, but a tag is made
  // of the bytes alone.
  Result<std::optional<PutFile>> copy(const FileToPut& file, const std::stop_token& stop) {
    UfileRequest request{
        "PUT", file.key, "", {{"X-Ufile-Copy-Source", client_.place().copy_source(file.like->key)}}};
    request.may_write = &file.may_write;
    TRY_ASSIGN(const HttpResponse response,
               client_.send(request, cat("copy ", quoted(file.like->key), " to ", quoted(file.key)), stop,
                            {400, 403, 404, 405, 409, 412, 416, 419, 501}));
    const std::string tag = tag_of(response);
    if (response.status >= 300 || tag != file.like->tag) return std::optional<PutFile>();
    return std::optional(PutFile{.tag = tag, .copied = true, .chunks = file.like->chunks});
  }

  FileSystem& files_;
  Clock& clock_;
  UfileClient client_;
};

}  // namespace

Result<std::unique_ptr<Store>> make_ufile_store(Host& host, const Workspace&, const Service& service,
                                                Tally& tally) {
  TRY_ASSIGN(UfilePlace place, read_ufile_place(service));
  return std::unique_ptr<Store>(std::make_unique<UfileStore>(host, std::move(place), tally));
}

}  // namespace trainmake
