#include "cache/stores/s3/s3_store.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "cache/content_digest.h"
#include "cache/file_digests.h"
#include "cache/stores/pages.h"
#include "cache/stores/s3/s3_answers.h"
#include "cache/stores/s3/s3_client.h"
#include "cache/stores/s3/s3_copy.h"
#include "cache/stores/s3/s3_upload.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "engine/cloud/hmac.h"

namespace trainmake {
namespace {

constexpr int kNotImplemented = 501;
constexpr int kListed = 1000;               // keys in an answer
constexpr std::size_t kMostRemoved = 1000;  // with one request
constexpr std::size_t kLongestKey = 1024;
// Codes of services that keep objects as files, as versitygw does.
constexpr std::string_view kFileAbove = "ObjectParentIsFile", kFolderThere = "ExistingObjectIsDirectory";

std::string tag_of(const HttpResponse& response) { return without_quotes(header_value(response, "etag")); }

bool is_no_bucket(const HttpResponse& response) {
  return response.status == 404 && parse_s3_error(response.body).code == "NoSuchBucket";
}

class Md5Check final : public TagCheck {
 public:
  explicit Md5Check(std::string md5) : md5_(std::move(md5)) {}
  void add(std::string_view bytes) override { hasher_.add(bytes); }
  bool holds() override { return hex_of(hasher_.finish()) == md5_; }

 private:
  std::string md5_;
  OldHasher hasher_{OldDigest::kMd5};
};

std::unique_ptr<TagCheck> check_of(const ObjectToRead& object, const HttpResponse& head, bool tags_are_md5) {
  std::optional<std::string> md5 = md5_in(object.tag);
  return tags_are_md5 && is_plain(head) && md5 ? std::make_unique<Md5Check>(*std::move(md5)) : nullptr;
}

bool is_no_digest(std::string_view /*tag*/, std::uint64_t /*size*/) { return false; }
bool is_digest(std::string_view tag, std::uint64_t /*size*/) { return is_s3_digest(tag); }

class S3Store final : public Store {
 public:
  S3Store(Host& host, S3Place place, Tally& tally)
      : Store({.puts_at_once = place.sends.requests,
               .takes_conditions = place.limits.conditional,
               .is_digest = place.limits.tags_are_md5 ? is_digest : is_no_digest}),
        files_(host.files),
        tags_are_md5_(place.limits.tags_are_md5),
        client_(host, std::move(place), tally) {}

  std::shared_ptr<void> heed(const std::stop_token& stop, const Hear& hear) override {
    return client_.heed(stop, hear);
  }

  Result<void> check(const std::string& key) const override {
    return check_key(client_.place(), key, kLongestKey);
  }

  Result<PutFile> put_file(const FileToPut& file, const std::stop_token& stop) override {
    TRY(check(file.key));
    Result<PutFile> put = put_bytes(file, stop);
    return put ? std::move(put) : fail(what_is_in_the_way(file.key, std::move(put).error()));
  }

  void give_up(const std::string& key, const std::vector<std::string>& notes) override {
    S3Upload::give_up(client_, key, notes);
  }

  Result<std::optional<std::string>> put(const std::string& key, std::string_view bytes,
                                         const Expected& expected, const std::stop_token& stop) override {
    TRY(check(key));
    const std::string doing = cat("put ", quoted(key));
    S3Request request{"PUT", key, "", {{kContentHeader, digest_of(bytes).hex()}}, bytes};
    request.is_urgent = expected.has_value();
    if (expected && !takes_conditions()) {
      TRY_ASSIGN(const std::optional<StoredObject> there, look_at(key, true, stop));
      if ((there ? there->tag : "") != *expected) return std::optional<std::string>();
    } else if (expected) {
      const bool is_new = expected->empty();
      request.headers.emplace_back(is_new ? "If-None-Match" : "If-Match",
                                   is_new ? "*" : cat("\"", *expected, "\""));
    }
    TRY_ASSIGN(const HttpResponse response, send_into(request, doing, stop, expected.has_value()));
    if (response.status < 300) {
      TRY_ASSIGN(std::string tag, tag_or_no_service(response, doing));
      if (expected == "" && takes_conditions() && !is_known_to_heed(response)) TRY(check_heeded(request));
      return std::optional(std::move(tag));
    }
    if (response.status == kNotImplemented) {
      // Of the condition, unless the same without one is not, either. Whoever asks again notes before that it
      // may arrive late.
      if (!takes_conditions()) return fail(client_.refusal(response, doing));
      take_no_conditions();
      return std::optional<std::string>();
    }
    // Nobody else's bytes are ours: it was put when that was asked first, and the answer was lost.
    TRY_ASSIGN(const std::optional<StoredObject> there, look_at(key, true, stop));
    if (there && there->content == digest_of(bytes)) return std::optional(there->tag);
    return std::optional<std::string>();
  }

  Result<std::optional<ObjectBytes>> get(const std::string& key) override {
    TRY(check(key));
    const std::string doing = cat("read ", quoted(key));
    TRY_ASSIGN(HttpResponse response, client_.send({"GET", key, ""}, doing, {}, {404}));
    if (response.status == 404) return missing<ObjectBytes>(response, doing);
    ObjectBytes found{"", tag_of(response), age_of(response)};
    found.bytes = std::move(response.body);
    return std::optional(std::move(found));
  }

  Result<ReadEnd> read(const ObjectToRead& object, const ByteSink& to, const std::stop_token& stop) override {
    TRY(check(object.key));
    Reading reading(object, to, {tag_of, true, [&](const HttpResponse& head) {
                                   return check_of(object, head, tags_are_md5_);
                                 }});
    S3Request request{"GET", object.key, ""};
    request.reading = &reading;
    const std::string doing = cat("read ", quoted(object.key));
    const Result<HttpResponse> response = client_.send(request, doing, stop, {404, kAnother, kNothingMore});
    if (!response || response->status != 404) return reading.finish(response);
    TRY(missing<StoredObject>(*response, doing));
    return ReadEnd::kGone;
  }

  Result<std::optional<StoredObject>> look(const std::string& key) override { return look_at(key, false); }
  Result<std::optional<StoredObject>> look_at_once(const std::string& key) override {
    return look_at(key, true);
  }

  Result<void> list(const std::string& prefix,
                    const std::function<void(const StoredObject&)>& visit) override {
    const std::string above = client_.place().prefix.empty() ? "" : cat(client_.place().prefix, "/");
    const std::string begin = cat(above, prefix);
    const std::string doing = cat("list ", quoted(prefix));
    Pages pages;
    for (std::string next;;) {
      const std::string query =
          cat(next.empty() ? "" : cat("continuation-token=", percent_encoded(next), "&"),
              "encoding-type=url&list-type=2&max-keys=", kListed, "&prefix=", percent_encoded(begin));
      TRY_ASSIGN(const HttpResponse response, client_.send({"GET", "", query}, doing, {}, {404}));
      if (response.status == 404) {
        if (is_no_bucket(response) && client_.place().create) return {};
        return fail(client_.refusal(response, doing));
      }
      TRY_ASSIGN(const S3List list, parse_s3_list(response.body));
      for (const S3Listed& object : list.objects) {
        if (object.key.starts_with(begin))
          visit({object.key.substr(above.size()), object.size, object.tag, std::nullopt});
      }
      if (list.next.empty()) return {};
      if (!pages.go_on(list.objects.empty() ? "" : list.objects.front().key, list.next))
        return fail(endless_list(doing, client_.place().name));
      next = list.next;
    }
  }

  Result<void> remove(std::span<const std::string> keys, const MayWrite& may_write) override {
    std::vector<std::string> many;
    for (const std::string& key : keys) {
      TRY(check(key));
      if (keys.size() == 1 || !can_be_in_xml(key)) {
        S3Request request{"DELETE", key, ""};
        request.may_write = &may_write;
        TRY(client_.send(request, cat("remove ", quoted(key)), {}, {404}));
      } else {
        many.push_back(client_.place().object(key));
      }
    }
    for (std::span<const std::string> rest(many); !rest.empty();) {
      const std::size_t count = std::min(rest.size(), kMostRemoved);
      TRY(remove_many(rest.first(count), may_write));
      rest = rest.subspan(count);
    }
    return {};
  }

 private:
  Result<std::optional<StoredObject>> look_at(const std::string& key, bool is_urgent,
                                              const std::stop_token& stop = {}) {
    TRY(check(key));
    const std::string doing = cat("look at ", quoted(key));
    S3Request request{"HEAD", key, ""};
    request.is_urgent = is_urgent;
    TRY_ASSIGN(const HttpResponse response, client_.send(request, doing, stop, {404}));
    if (response.status == 404) return std::optional<StoredObject>();
    return std::optional(
        StoredObject{key, whole_number<std::uint64_t>(header_value(response, "content-length")).value_or(0),
                     tag_of(response), Digest128::parse(header_value(response, kContentHeader))});
  }

  Result<void> remove_many(std::span<const std::string> objects, const MayWrite& may_write) {
    const std::string document = render_s3_removal(objects);
    const std::string doing = cat("remove ", plural(objects.size(), "object"));
    S3Request request{"POST", "", "delete=", {{"Content-MD5", base64_of(md5(document))}}, document};
    request.may_write = &may_write;
    TRY_ASSIGN(const HttpResponse response, client_.send(request, doing, {}));
    TRY_ASSIGN(const std::vector<S3Kept> kept, parse_s3_removal(response.body));
    if (kept.empty()) return {};
    return fail(user_error(cat("Cannot ", doing, ": store ", quoted(client_.place().name), " keeps ",
                               quoted(kept.front().key), ": ", printable(kept.front().error.code), ", ",
                               printable(kept.front().error.message)),
                           "These keys may not do that: whoever owns the bucket can allow it")
                    .because(Blame::kRemote));
  }

  Result<PutFile> put_bytes(const FileToPut& file, const std::stop_token& stop) {
    TRY_ASSIGN(const Stat stat, files_.look(file.path, Links::kFollow));
    const S3Limits& limits = client_.place().limits;
    const bool is_like = file.like && !file.like->tag.empty() && file.like->content == file.content;
    if (is_like && file.like->size == stat.size && stat.size <= limits.copied_bytes) {
      TRY_ASSIGN(std::optional<PutFile> copied, copy(file, stop));
      if (copied) return *std::move(copied);
    }
    const bool may_take_over = file.like && !file.like->chunks.empty() && !limits.fixed_parts;
    if (stat.size > limits.single_bytes || (may_take_over && stat.size > kChunkBytes))
      return S3Upload(
                 files_, client_, file, stat.size, [&] { return make_bucket(stop); }, takes_conditions())
          .run(stop);
    if (!file.notes.empty()) give_up(file.key, file.notes);  // of when it was larger
    return put_whole(file, stat.size, stop);
  }

  // A service that keeps objects as files has none that is a folder, too; its answer does not say which.
  Error what_is_in_the_way(const std::string& key, Error refused) {
    const bool is_below = refused.message.find(kFileAbove) != std::string::npos;
    if (!is_below && refused.message.find(kFolderThere) == std::string::npos) return refused;
    std::string other = is_below ? "" : cat(key, "/");
    for (std::string above = key; is_below && above.find('/') != std::string::npos;) {
      above.resize(above.rfind('/'));
      const Result<std::optional<StoredObject>> there = look(above);
      if (there && *there) other = above;
    }
    if (other.empty()) return refused;
    return step_error(cat(quoted(other), " in store ", quoted(client_.place().name), " is in the way of ",
                          quoted(key), ": its service keeps objects as files, and none is a folder, too"),
                      "A file became a folder, or the other way round: remove it there by hand")
        .lasting();
  }

  template <typename Found>
  Result<std::optional<Found>> missing(const HttpResponse& response, const std::string& doing) {
    if (is_no_bucket(response) && !client_.place().create) return fail(client_.refusal(response, doing));
    return std::optional<Found>();
  }

  // Whatever speaks S3 answers a put with a tag.
  Result<std::string> tag_or_no_service(const HttpResponse& response, const std::string& doing) const {
    std::string tag = tag_of(response);
    if (!tag.empty()) return tag;
    return fail(user_error(cat("Cannot ", doing, ": what answers for store ", quoted(client_.place().name),
                               " is no S3 service"),
                           "Check its `endpoint`; is there a proxy in between?")
                    .because(Blame::kRemote)
                    .lasting());
  }

  // Nothing when the service would rather have it sent, or when what it copied is something else: somebody
  // put another in place of it.
  Result<std::optional<PutFile>> copy(const FileToPut& file, const std::stop_token& stop) {
    const bool tells_md5 = tags_are_md5_ && md5_in(file.like->tag);
    if (!tells_md5 && !takes_conditions()) return std::optional<PutFile>();
    S3Request request{"PUT",
                      file.key,
                      "",
                      {{"x-amz-copy-source", client_.place().copy_source(file.like->key)},
                       {"x-amz-copy-source-if-match", cat("\"", file.like->tag, "\"")}}};
    request.may_write = &file.may_write;
    TRY_ASSIGN(const HttpResponse response,
               client_.send(request, cat("copy ", quoted(file.like->key), " to ", quoted(file.key)), stop,
                            {400, 403, 404, 405, 412, 501}));
    const std::optional<std::string> tag = field_of_answer(response.body, "ETag");
    if (response.status >= 300 || !tag) return std::optional<PutFile>();
    const S3Copied copied{*file.like,        {file.path, 0, file.like->size}, true, response, *tag,
                          takes_conditions()};
    TRY_ASSIGN(const bool is_that, is_right(copied, files_, client_, stop));
    if (!is_that) return std::optional<PutFile>();
    return std::optional(PutFile{.tag = *tag, .copied = true, .chunks = file.like->chunks});
  }

  Result<PutFile> put_whole(const FileToPut& file, std::uint64_t size, const std::stop_token& stop) {
    const std::string doing = cat("put ", quoted(file.key));
    S3Request request{"PUT", file.key, "", {{kContentHeader, file.content.hex()}}};
    request.may_write = &file.may_write;
    constexpr std::uint64_t kHeld = std::uint64_t{256} << 10U;
    PutFile put;
    put.sent = size;
    if (size <= kHeld) {
      TRY_ASSIGN(const std::string bytes, read_file(files_, file.path, kHeld));
      if (digest_of(bytes) != file.content) return fail(changed_while_sent(file.path));
      request.body = bytes;
      TRY_ASSIGN(const HttpResponse response, send_into(request, doing, stop, false));
      TRY_ASSIGN(put.tag, tag_or_no_service(response, doing));
      put.sent = bytes.size();
      return put;
    }
    TRY_ASSIGN(DigestedPiece digested, digest_piece(files_, file.path, 0, size, stop));
    if (digest_of_chunks(digested.chunks, size) != file.content) return fail(changed_while_sent(file.path));
    request.piece = &digested.piece;
    TRY_ASSIGN(const HttpResponse response, send_into(request, doing, stop, false));
    TRY_ASSIGN(put.tag, tag_or_no_service(response, doing));
    if (digested.chunks.size() > 1) put.chunks = std::move(digested.chunks);
    return put;
  }

  // Makes the bucket when it is missing and that was asked for. With `may_meet`, that something else lies
  // there than was expected is an answer, 404, 409 or 412, and so is that it does not know what that means.
  Result<HttpResponse> send_into(const S3Request& request, const std::string& doing,
                                 const std::stop_token& stop, bool may_meet) {
    const auto send = [&] { return client_.send(request, doing, stop, {404, 409, 412, kNotImplemented}); };
    TRY_ASSIGN(HttpResponse response, send());
    if (is_no_bucket(response) && client_.place().create) {
      TRY(make_bucket(stop));
      TRY_ASSIGN(response, send());
    }
    const bool met = response.status < 300 || (may_meet && !is_no_bucket(response));
    return met ? Result<HttpResponse>(std::move(response)) : fail(client_.refusal(response, doing));
  }

  // The same once more: it may not be put, since it is there, and does no harm where it is.
  Result<void> check_heeded(const S3Request& request) {
    const std::string doing = cat("put ", quoted(request.key), " again");
    TRY_ASSIGN(const HttpResponse again, client_.send(request, doing, {}, {409, 412}));
    if (again.status >= 300) return {};
    return fail(user_error(cat("Store ", quoted(client_.place().name),
                               " puts over what is there, though it is told not to: its service knows no "
                               "`If-None-Match`"),
                           cat("Write `conditional = false` on store ", quoted(client_.place().name),
                               " in TRAINSPACE.lua: it is asked before each put then"))
                    .because(Blame::kRemote));
  }

  Result<void> make_bucket(const std::stop_token& stop) {
    const std::lock_guard one_alone(mutex_);
    if (made_) return {};
    TRY_ASSIGN(const std::string region, client_.region());
    const std::string where = render_s3_bucket(region);
    const std::string doing = cat("make bucket ", quoted(client_.place().bucket));
    TRY_ASSIGN(const HttpResponse response, client_.send({"PUT", "", "", {}, where}, doing, stop, {409}));
    if (response.status == 409 && parse_s3_error(response.body).code != "BucketAlreadyOwnedByYou")
      return fail(client_.refusal(response, doing));
    made_ = true;
    return {};
  }

  FileSystem& files_;
  const bool tags_are_md5_;
  S3Client client_;
  std::mutex mutex_;  // guards what follows
  bool made_ = false;
};

}  // namespace

Result<std::unique_ptr<Store>> make_s3_store(Host& host, const Workspace&, const Service& service,
                                             Tally& tally) {
  TRY_ASSIGN(S3Place place, read_s3_place(service));
  return std::unique_ptr<Store>(std::make_unique<S3Store>(host, std::move(place), tally));
}

}  // namespace trainmake
