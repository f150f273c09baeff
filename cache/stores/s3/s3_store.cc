#include "cache/stores/s3/s3_store.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "cache/file_digests.h"
#include "cache/stores/s3/s3_answers.h"
#include "cache/stores/s3/s3_client.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"

namespace trainmake {
namespace {

constexpr unsigned kPartsAtOnce = 4;  // of one file, each held whole
constexpr int kListed = 1000;         // keys in an answer

std::string tag_of(const HttpResponse& response) {
  std::string tag = header_value(response, "etag");
  std::erase(tag, '"');
  return tag;
}

class S3Store final : public Store {
 public:
  S3Store(Host& host, S3Place place, Tally& tally)
      : files_(host.files), client_(host, std::move(place), tally) {}

  Result<void> put_file(const std::string& key, const std::string& path, const Digest128& content,
                        const std::stop_token& stop) override {
    TRY(check(key));
    TRY_ASSIGN(const Stat stat, files_.look(path, Links::kFollow));
    const S3Limits& limits = client_.place().limits;
    if (stat.size > limits.single_bytes) return put_parts(key, path, stat.size, content, stop);
    TRY_ASSIGN(const std::string bytes, read_file(files_, path, limits.single_bytes));
    ContentHasher hasher;
    hasher.add(bytes);
    if (hasher.finish() != content) return fail(changed(path));
    return put_bytes(key, bytes, stop);
  }

  Result<void> put(const std::string& key, std::string_view bytes) override {
    TRY(check(key));
    return put_bytes(key, bytes, {});
  }

  Result<std::optional<std::string>> get(const std::string& key) override {
    TRY(check(key));
    TRY_ASSIGN(HttpResponse response, client_.send({"GET", key, ""}, cat("read ", quoted(key)), {}, {404}));
    if (response.status != 404) return std::optional(std::move(response.body));
    const S3Error error = parse_s3_error(response.body);
    if (error.code == "NoSuchBucket" && !client_.place().create)
      return fail(client_.refusal(response, cat("read ", quoted(key))));
    return std::optional<std::string>();
  }

  Result<void> list(const std::string& prefix,
                    const std::function<void(const StoredObject&)>& visit) override {
    const std::string above = client_.place().prefix.empty() ? "" : cat(client_.place().prefix, "/");
    const std::string doing = cat("list ", quoted(prefix));
    for (std::string next;;) {
      const std::string query =
          cat(next.empty() ? "" : cat("continuation-token=", percent_encoded(next), "&"),
              "encoding-type=url&list-type=2&max-keys=", kListed,
              "&prefix=", percent_encoded(cat(above, prefix)));
      TRY_ASSIGN(const HttpResponse response, client_.send({"GET", "", query}, doing, {}));
      TRY_ASSIGN(const S3List list, parse_s3_list(response.body));
      for (const S3Listed& object : list.objects) {
        if (object.key.starts_with(above)) visit({object.key.substr(above.size()), object.size});
      }
      if (list.next.empty()) return {};
      next = list.next;
    }
  }

  Result<void> remove(const std::string& key) override {
    TRY(check(key));
    TRY(client_.send({"DELETE", key, ""}, cat("remove ", quoted(key)), {}, {404}));
    return {};
  }

  std::string local_path(const std::string&) const override { return ""; }

 private:
  static Error changed(const std::string& path) {
    return step_error(cat(quoted(path), " changed while it was sent"),
                      "Run again: it was not put into the store");
  }

  // Names of objects are UTF-8, of no more than 1024 bytes.
  Result<void> check(const std::string& key) const {
    const std::optional<std::string> clean = path_clean(key);
    if (!clean || *clean != key || key.empty() || key.starts_with('/'))
      return fail(user_error(cat("Key ", quoted(key), " leads out of the store")));
    if (!is_utf8(key))
      return fail(
          step_error(cat("No object can be called ", quoted(key), ": it is no UTF-8"), "Rename the file"));
    constexpr std::size_t kLongest = 1024;
    if (client_.place().object(key).size() > kLongest)
      return fail(
          step_error(cat("The name of an object would be longer than ", kLongest, " bytes: ", quoted(key)),
                     "Shorten its path or the `prefix`"));
    return {};
  }

  // Makes the bucket when it is missing and that was asked for.
  Result<HttpResponse> send_into(const S3Request& request, const std::string& doing,
                                 const std::stop_token& stop) {
    const bool creates = client_.place().create;
    Result<HttpResponse> response =
        creates ? client_.send(request, doing, stop, {404}) : client_.send(request, doing, stop);
    if (!response || response->status != 404) return response;
    if (parse_s3_error(response->body).code != "NoSuchBucket") return fail(client_.refusal(*response, doing));
    TRY(make_bucket(stop));
    return client_.send(request, doing, stop);
  }

  Result<void> make_bucket(const std::stop_token& stop) {
    const std::lock_guard one_alone(mutex_);
    if (made_) return {};
    const std::string& region = client_.place().region;
    const std::string where = region.empty() || region == "us-east-1"
                                  ? ""
                                  : cat("<CreateBucketConfiguration><LocationConstraint>", region,
                                        "</LocationConstraint></CreateBucketConfiguration>");
    const std::string doing = cat("make bucket ", quoted(client_.place().bucket));
    TRY_ASSIGN(const HttpResponse response, client_.send({"PUT", "", "", {}, where}, doing, stop, {409}));
    if (response.status == 409 && parse_s3_error(response.body).code != "BucketAlreadyOwnedByYou")
      return fail(client_.refusal(response, doing));
    made_ = true;
    return {};
  }

  Result<void> put_bytes(const std::string& key, std::string_view bytes, const std::stop_token& stop) {
    TRY(send_into({"PUT", key, "", {}, bytes}, cat("put ", quoted(key)), stop));
    return {};
  }

  // Parts of one file, several on their way at once; nothing is visible before all of them are there.
  Result<void> put_parts(const std::string& key, const std::string& path, std::uint64_t size,
                         const Digest128& content, const std::stop_token& stop) {
    const std::string doing = cat("put ", quoted(key));
    TRY_ASSIGN(const HttpResponse begun, send_into({"POST", key, "uploads="}, doing, stop));
    const std::optional<std::string> id = field_of_answer(begun.body, "UploadId");
    if (!id) return fail(client_.refusal(begun, doing));
    const std::string upload = cat("uploadId=", percent_encoded(*id));
    Result<std::string> made = send_parts(key, path, size, content, upload, stop);
    if (!made) {
      (void)client_.send({"DELETE", key, upload}, doing, {}, {404});
      return fail(std::move(made).error());
    }
    TRY_ASSIGN(const HttpResponse done, client_.send({"POST", key, upload, {}, *made}, doing, stop, {404}));
    // An answer of 200 may be an error that came later.
    if (done.status != 404 && parse_s3_error(done.body).code.empty()) return {};
    return fail(client_.refusal(done, doing));
  }

  std::uint64_t part_bytes(std::uint64_t size) const {
    const S3Limits& limits = client_.place().limits;
    std::uint64_t bytes = limits.part_bytes;
    while (!limits.fixed_parts && size / bytes >= limits.most_parts) bytes *= 2;
    return bytes;
  }

  // The document that makes them one object. Read in order by whoever is next, so that the digest is that of
  // what was sent.
  Result<std::string> send_parts(const std::string& key, const std::string& path, std::uint64_t size,
                                 const Digest128& content, const std::string& upload,
                                 const std::stop_token& stop) {
    const std::uint64_t part = part_bytes(size);
    const std::uint64_t count = (size + part - 1) / part;
    if (count > client_.place().limits.most_parts)
      return fail(step_error(cat(quoted(path), " is too large for the store: ", human_bytes(size))));
    TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files_.open(path));
    std::vector<std::string> tags(count);
    std::mutex reading;
    ContentHasher hasher;
    std::uint64_t next = 0;
    std::optional<Error> error;
    const auto work = [&] {
      std::string bytes;
      for (;;) {
        std::uint64_t number = 0;
        {
          const std::lock_guard lock(reading);
          if (error || next == count) return;
          number = next++;
          bytes.resize(std::min(part, size - number * part));
          if (Result<void> filled = fill(*reader, bytes, path); !filled) {
            error = std::move(filled).error();
            return;
          }
          hasher.add(bytes);
        }
        Result<HttpResponse> sent =
            client_.send({"PUT", key, cat("partNumber=", number + 1, "&", upload), {}, bytes},
                         cat("put ", quoted(key)), stop);
        const std::lock_guard lock(reading);
        if (sent)
          tags[number] = tag_of(*sent);
        else if (!error)
          error = std::move(sent).error();
      }
    };
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 1; i < std::min<std::uint64_t>(kPartsAtOnce, count); ++i) threads.emplace_back(work);
      work();
    }
    if (error) return fail(*std::move(error));
    if (hasher.finish() != content) return fail(changed(path));
    return render_s3_parts(tags);
  }

  static Result<void> fill(FileReader& reader, std::string& bytes, const std::string& path) {
    for (std::size_t done = 0; done < bytes.size();) {
      TRY_ASSIGN(const std::size_t count, reader.read({bytes.data() + done, bytes.size() - done}));
      if (count == 0) return fail(changed(path));
      done += count;
    }
    return {};
  }

  FileSystem& files_;
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
