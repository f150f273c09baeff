#include "rules/image/registries/http/http_registry.h"

#include <map>
#include <mutex>

#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "rules/image/documents.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"
#include "rules/image/registries/http/address.h"
#include "rules/image/registries/http/remote.h"
#include "rules/image/registries/http/upload.h"

namespace trainmake {
namespace {

constexpr int kMostCuts = 6;  // in a row, in which nothing arrived
constexpr int kMostRedirects = 5;

constexpr std::string_view kManifestTypes =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

bool is_document(std::string_view media_type) {
  return kManifestTypes.find(media_type) != kManifestTypes.npos && !media_type.empty();
}

bool is_answer_to_read(int status) {
  return status == 200 || status == 206 || status == 404 || status == 416;
}
bool is_redirect(int status) { return status >= 300 && status < 400; }

std::optional<std::uint64_t> length_of(const HttpResponse& response) {
  const std::string* length = header_of(response, "content-length");
  return length == nullptr ? std::nullopt : whole_number<std::uint64_t>(*length);
}

std::optional<Sha256> digest_of_answer(const HttpResponse& response) {
  const std::string* digest = header_of(response, "docker-content-digest");
  return digest == nullptr ? std::nullopt : parse_digest(*digest);
}

// As the header says, without its parameters; else as the document itself does.
std::string media_type_of(const HttpResponse& response, std::string_view document) {
  const std::string* header = header_of(response, "content-type");
  const std::string_view type =
      header == nullptr ? "" : trim(std::string_view(*header).substr(0, header->find(';')));
  return is_document(type) ? std::string(type) : type_of_document(document);
}

class HttpRegistry final : public Registry {
 public:
  HttpRegistry(Host& host, const RemotePlace& place, Tally& tally, const WaitNotice& waits)
      : remote_(host, place, tally, waits) {}

  std::string host() const override { return remote_.name(); }

  Result<std::optional<std::uint64_t>> size_of(const std::string& repository, const Sha256& digest, Looks*,
                                               const std::stop_token& stop) override {
    HttpRequest request{"HEAD", blob_url(repository, digest), {}, ""};
    TRY_ASSIGN(HttpResponse response, remote_.send(request, {repository, true}, Again::kYes, stop));
    // One that does not know the question is as one that does not have the blob: it is sent.
    if (response.status == 404 || response.status == 405) return std::optional<std::uint64_t>();
    if (is_redirect(response.status)) return size_elsewhere(std::move(request), std::move(response), stop);
    if (response.status != 200) return fail(remote_.refusal(response, cat("look into ", quoted(repository))));
    return std::optional(length_of(response).value_or(0));
  }

  Result<bool> mount(const std::string& repository, const BlobRef& blob, const std::string& from,
                     const std::stop_token& stop) override {
    const HttpRequest request{"POST",
                              remote_.url(cat("/v2/", repository, "/blobs/uploads/?mount=",
                                              digest_text(blob.digest), "&from=", percent_encoded(from))),
                              {},
                              ""};
    TRY_ASSIGN(const HttpResponse response,
               remote_.send(request, {repository, true, from}, Again::kYes, stop));
    const std::string* location = header_of(response, "location");
    if (response.status == 202 && location != nullptr) {
      const std::lock_guard lock(mutex_);
      offered_[cat(repository, "@", blob.digest.hex())] = resolved(*location, request.url);
    }
    return response.status == 201;  // anything else: it goes the long way
  }

  Result<void> put(const std::string& repository, BlobSource& blob, const std::stop_token& stop) override {
    return Upload(remote_, repository, blob).carry(take_offered(repository, blob.whole()), stop);
  }

  Result<void> read(const std::string& repository, const BlobRef& blob, const ByteSink& sink,
                    const std::stop_token& stop) override {
    Sha256Hasher hasher;
    std::uint64_t taken = 0;
    HttpRequest request;
    request.url = is_document(blob.media_type) ? manifest_url(repository, digest_text(blob.digest))
                                               : blob_url(repository, blob.digest);
    if (is_document(blob.media_type)) request.headers = {{"Accept", blob.media_type}};
    const std::vector<std::pair<std::string, std::string>> headers = request.headers;
    bool begins = true;         // an answer
    std::uint64_t to_skip = 0;  // of a server that begins at the beginning all the same
    request.body_to = [&](const HttpResponse& head, std::string_view bytes) -> Result<void> {
      if (begins) to_skip = head.status == 200 ? taken : 0;
      begins = false;
      const std::size_t skipped = std::min<std::uint64_t>(to_skip, bytes.size());
      to_skip -= skipped;
      bytes.remove_prefix(skipped);
      taken += bytes.size();
      if (taken > blob.size) return fail(damaged(repository, blob.digest));
      hasher.raw(bytes);
      return sink(bytes);
    };
    for (int cuts = 0; taken < blob.size || cuts == 0;) {
      const std::uint64_t before = taken;
      request.headers = headers;
      if (taken > 0) request.headers.emplace_back("Range", cat("bytes=", taken, "-"));
      begins = true;
      TRY_ASSIGN(const std::optional<HttpResponse> answer, fetch(request, repository, cuts, stop));
      if (answer && answer->status == 404)
        return fail(remote_.refusal(*answer, cat("read from ", quoted(repository))));
      if (answer && answer->status == 416) break;  // it has no more than that
      if (answer && taken >= blob.size) break;
      cuts = taken > before ? 1 : cuts + 1;
      if (cuts >= kMostCuts) return fail(damaged(repository, blob.digest));
    }
    if (taken != blob.size || hasher.finish() != blob.digest) return fail(damaged(repository, blob.digest));
    return {};
  }

  Result<void> put_manifest(const std::string& repository, const Document& manifest,
                            const std::vector<std::string>& tags, const std::stop_token& stop) override {
    const Sha256 digest = manifest.ref().digest;
    if (tags.empty()) return put_manifest_as(repository, manifest, digest, digest_text(digest), stop);
    for (const std::string& tag : tags) TRY(put_manifest_as(repository, manifest, digest, tag, stop));
    return {};
  }

  Result<std::optional<BlobRef>> find(const Named& named, Looks*, const std::stop_token& stop) override {
    const HttpRequest request{"HEAD",
                              manifest_url(named.repository, named.reference),
                              {{"Accept", std::string(kManifestTypes)}},
                              ""};
    TRY_ASSIGN(const HttpResponse response, remote_.send(request, {named.repository}, Again::kYes, stop));
    if (response.status == 404) return std::optional<BlobRef>();
    // Of one that tells less, or nothing to this question, all of it is read.
    if (response.status == 405 || is_redirect(response.status)) return find_by_reading(named, stop);
    if (response.status != 200)
      return fail(remote_.refusal(response, cat("look for ", quoted(name_of(named)))));
    const std::optional<Sha256> digest = digest_of_answer(response);
    const std::optional<std::uint64_t> size = length_of(response);
    if (!header_of(response, "content-type") || !digest || !size) return find_by_reading(named, stop);
    return std::optional(BlobRef{media_type_of(response, ""), *digest, *size});
  }

 private:
  // Where the storage is another service; what that does not tell is not there.
  Result<std::optional<std::uint64_t>> size_elsewhere(HttpRequest request, HttpResponse response,
                                                      const std::stop_token& stop) {
    for (int redirects = 0; is_redirect(response.status) && redirects < kMostRedirects; ++redirects) {
      const std::string* location = header_of(response, "location");
      if (location == nullptr) break;
      request.url = resolved(*location, request.url);
      TRY_ASSIGN(response, remote_.send(request, {}, Again::kYes, stop));
    }
    if (response.status != 200) return std::optional<std::uint64_t>();
    return length_of(response);
  }

  std::string blob_url(const std::string& repository, const Sha256& digest) const {
    return remote_.url(cat("/v2/", repository, "/blobs/", digest_text(digest)));
  }
  std::string manifest_url(const std::string& repository, const std::string& reference) const {
    return remote_.url(cat("/v2/", repository, "/manifests/", reference));
  }
  static std::string name_of(const Named& named) {
    return cat(named.repository, named.reference.starts_with("sha256:") ? "@" : ":", named.reference);
  }

  Error damaged(const std::string& repository, const Sha256& digest) const {
    return user_error(cat(quoted(remote_.name()), " does not give ", digest_text(digest), " of ",
                          quoted(repository), " as its digest says"),
                      "Nothing of it was kept; is there a proxy in between?")
        .because(Blame::kRemote)
        .lasting();
  }

  // The session that a refused mount opened; "" when there is none.
  std::string take_offered(const std::string& repository, const std::optional<BlobRef>& blob) {
    if (!blob) return "";
    const std::lock_guard lock(mutex_);
    const auto found = offered_.find(cat(repository, "@", blob->digest.hex()));
    if (found == offered_.end()) return "";
    std::string location = std::move(found->second);
    offered_.erase(found);
    return location;
  }

  Result<void> put_manifest_as(const std::string& repository, const Document& manifest, const Sha256& digest,
                               const std::string& reference, const std::stop_token& stop) {
    const HttpRequest request{
        "PUT", manifest_url(repository, reference), {{"Content-Type", manifest.media_type}}, manifest.bytes};
    TRY_ASSIGN(const HttpResponse response, remote_.send(request, {repository, true}, Again::kYes, stop));
    const std::string name = name_of({repository, reference});
    if (response.status < 200 || response.status >= 300)
      return fail(remote_.refusal(response, cat("push to ", quoted(name))));
    std::optional<Sha256> kept_as = digest_of_answer(response);
    if (!kept_as && response.status != 201) {  // whoever answered may be no registry
      TRY_ASSIGN(const std::optional<BlobRef> kept, find({repository, reference}, nullptr, stop));
      if (!kept) return fail(remote_.refusal(response, cat("push to ", quoted(name))));
      kept_as = kept->digest;
    }
    if (!kept_as || *kept_as == digest) return {};
    return fail(user_error(cat(quoted(remote_.name()), " keeps ", quoted(name), " as ", digest_text(*kept_as),
                               ", and what was sent is ", digest_text(digest)),
                           "Is there a proxy in between?")
                    .because(Blame::kRemote));
  }

  Result<std::optional<BlobRef>> find_by_reading(const Named& named, const std::stop_token& stop) {
    std::string document;
    HttpRequest request;
    request.url = manifest_url(named.repository, named.reference);
    request.headers = {{"Accept", std::string(kManifestTypes)}};
    request.body_to = [&](const HttpResponse&, std::string_view bytes) -> Result<void> {
      document += bytes;
      if (document.size() <= kLargestDocument) return {};
      return fail(user_error(cat("The manifest ", quoted(name_of(named)), " is longer than ",
                                 human_bytes(kLargestDocument)))
                      .because(Blame::kRemote)
                      .lasting());
    };
    std::optional<HttpResponse> answer;
    for (int cuts = 0; !answer && cuts < kMostCuts; ++cuts) {
      document.clear();
      TRY_ASSIGN(answer, fetch(request, named.repository, cuts, stop));
    }
    if (answer && answer->status == 404) return std::optional<BlobRef>();
    const Sha256 digest = sha256_of(document);
    if (!answer || answer->status != 200 || digest_of_answer(*answer).value_or(digest) != digest)
      return fail(damaged(named.repository, digest));
    return std::optional(BlobRef{media_type_of(*answer, document), digest, document.size()});
  }

  // One answer to a read, its body taken, or a 404; nothing when it was cut, after a pause. The login does
  // not go where it redirects.
  Result<std::optional<HttpResponse>> fetch(HttpRequest request, const std::string& repository, int attempt,
                                            const std::stop_token& stop) {
    for (int redirects = 0;; ++redirects) {
      Result<HttpResponse> response = remote_.send(request, {repository}, Again::kNo, stop);
      if (!response && !may_come_right(response.error())) return fail(std::move(response).error());
      const std::string* location = response ? header_of(*response, "location") : nullptr;
      if (location != nullptr && is_redirect(response->status) && redirects < kMostRedirects) {
        request.url = resolved(*location, request.url);
        continue;
      }
      if (response && is_answer_to_read(response->status)) return std::optional(*std::move(response));
      if (response && !may_come_right(response->status))
        return fail(remote_.refusal(*response, cat("read from ", quoted(repository))));
      TRY(remote_.pause(attempt, response ? &*response : nullptr, stop));
      return std::optional<HttpResponse>();
    }
  }

  Remote remote_;
  std::mutex mutex_;                            // guards what follows
  std::map<std::string, std::string> offered_;  // upload sessions that wait for their blob
};

}  // namespace

std::unique_ptr<Registry> make_remote_registry(Host& host, const RemotePlace& place, Tally& tally,
                                               const WaitNotice& waits) {
  return std::make_unique<HttpRegistry>(host, place, tally, waits);
}

}  // namespace trainmake
