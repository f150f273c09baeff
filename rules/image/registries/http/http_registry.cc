#include "rules/image/registries/http/http_registry.h"

#include <algorithm>
#include <cstring>

#include "engine/base/text.h"
#include "rules/image/manifest_json.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

// What travels in one request of an upload, and what is lost at most when it is cut.
constexpr std::uint64_t kPiece = std::uint64_t{32} << 20U;
constexpr int kMostCuts = 6;  // in a row, in which nothing arrived; and so often an upload is begun anew

constexpr std::string_view kManifestTypes =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

bool is_document(std::string_view media_type) {
  return kManifestTypes.find(media_type) != kManifestTypes.npos && !media_type.empty();
}

// `location` as a whole address: a path is one on the same host.
std::string resolved(std::string_view location, const RemoteAddress& address) {
  return location.starts_with('/') ? cat(address.url, location) : std::string(location);
}

// A part of a file, as the body of a request.
class FilePart {
 public:
  FilePart(FileSystem& files, std::string path, std::uint64_t offset, std::uint64_t size)
      : files_(files), path_(std::move(path)), offset_(offset), left_(size) {}

  Result<std::size_t> read(std::span<char> into) {
    if (!reader_) {
      TRY_ASSIGN(reader_, files_.open(path_));
      TRY(reader_->skip(offset_));
    }
    TRY_ASSIGN(const std::size_t count,
               reader_->read(into.first(std::min<std::uint64_t>(left_, into.size()))));
    if (count == 0 && left_ > 0)
      return fail(step_error(cat(quoted(path_), " became shorter while it was sent")));
    left_ -= count;
    return count;
  }

 private:
  FileSystem& files_;
  std::string path_;
  std::uint64_t offset_, left_;
  std::unique_ptr<FileReader> reader_;
};

void set_body(HttpRequest& request, FileSystem& files, const std::string& path, std::uint64_t offset,
              std::uint64_t size) {
  const auto part = std::make_shared<FilePart>(files, path, offset, size);
  request.body_size = size;
  request.body_from = [part](std::span<char> into) { return part->read(into); };
}

// "0-1023" and "bytes=0-1023": how much has arrived.
std::optional<std::uint64_t> arrived_of(const HttpResponse& response) {
  const std::string* range = header_of(response, "range");
  if (range == nullptr) return std::nullopt;
  const std::size_t dash = range->rfind('-');
  const std::optional<double> last =
      dash == range->npos ? std::nullopt : parse_number(range->substr(dash + 1));
  if (!last || *last < 0) return std::nullopt;
  // Of nothing, most say "0-0".
  return *last == 0 ? 0 : static_cast<std::uint64_t>(*last) + 1;
}

class HttpRegistry final : public Registry {
 public:
  HttpRegistry(Host& host, RemoteAddress address, Tally& tally)
      : host_(host), remote_(host, std::move(address), tally) {}

  Result<std::optional<std::uint64_t>> size_of(const std::string& repository, const Sha256& digest, Looks*,
                                               const std::stop_token& stop) override {
    const HttpRequest request{"HEAD", blob_path(repository, digest), {}, ""};
    TRY_ASSIGN(const HttpResponse response, remote_.send(request, {repository, true}, Again::kYes, stop));
    if (response.status == 404) return std::optional<std::uint64_t>();
    if (response.status != 200 && response.status != 307 && response.status != 302)
      return fail(remote_.refusal(response, cat("look into ", quoted(repository))));
    const std::string* length = header_of(response, "content-length");
    const std::optional<double> size = length == nullptr ? std::nullopt : parse_number(*length);
    return std::optional(size && response.status == 200 ? static_cast<std::uint64_t>(*size) : 0);
  }

  Result<bool> mount(const std::string& repository, const BlobRef& blob, const std::string& from,
                     const std::stop_token& stop) override {
    const HttpRequest request{"POST",
                              cat("/v2/", repository, "/blobs/uploads/?mount=", digest_text(blob.digest),
                                  "&from=", percent_encoded(from)),
                              {},
                              ""};
    TRY_ASSIGN(const HttpResponse response,
               remote_.send(request, {repository, true, from}, Again::kYes, stop));
    return response.status == 201;  // anything else: it goes the long way
  }

  Result<void> put(const std::string& repository, const BlobRef& blob, const std::string& path,
                   const std::stop_token& stop) override {
    const std::string doing = cat("push to ", quoted(repository));
    for (int begun = 0; begun < kMostCuts; ++begun) {
      TRY_ASSIGN(Upload upload, begin(repository, doing, stop));
      TRY_ASSIGN(const bool whole, carry(upload, blob, path, doing, stop));
      if (whole) return {};
    }
    return fail(lost(doing));
  }

  Result<void> read(const std::string& repository, const BlobRef& blob, const ByteSink& sink,
                    const std::stop_token& stop) override {
    Sha256Hasher hasher;
    std::uint64_t taken = 0;
    HttpRequest request;
    request.url = is_document(blob.media_type)
                      ? cat("/v2/", repository, "/manifests/", digest_text(blob.digest))
                      : blob_path(repository, blob.digest);
    if (is_document(blob.media_type)) request.headers = {{"Accept", blob.media_type}};
    const std::vector<std::pair<std::string, std::string>> headers = request.headers;
    bool begins = true;         // an answer
    std::uint64_t to_skip = 0;  // of a server that begins at the beginning all the same
    request.body_to = [&](int status, std::string_view bytes) -> Result<void> {
      if (begins) to_skip = status == 200 ? taken : 0;
      begins = false;
      const std::size_t skipped = std::min<std::uint64_t>(to_skip, bytes.size());
      to_skip -= skipped;
      bytes.remove_prefix(skipped);
      taken += bytes.size();
      if (taken > blob.size) return fail(damaged(repository, blob));
      hasher.raw(bytes);
      return sink(bytes);
    };
    for (int cuts = 0; taken < blob.size || cuts == 0;) {
      const std::uint64_t before = taken;
      request.headers = headers;
      if (taken > 0) request.headers.emplace_back("Range", cat("bytes=", taken, "-"));
      begins = true;
      TRY_ASSIGN(const bool answered, fetch(request, repository, stop));
      if (answered && taken >= blob.size) break;
      cuts = taken > before ? 1 : cuts + 1;
      if (cuts >= kMostCuts) return fail(damaged(repository, blob));
    }
    if (taken != blob.size || hasher.finish() != blob.digest) return fail(damaged(repository, blob));
    return {};
  }

  Result<void> put_manifest(const std::string& repository, const Document& manifest,
                            const std::vector<std::string>& tags, const std::stop_token& stop) override {
    std::vector<std::string> references = tags;
    if (tags.empty()) references.push_back(digest_text(manifest.ref().digest));
    for (const std::string& reference : references) {
      const HttpRequest request{"PUT",
                                cat("/v2/", repository, "/manifests/", reference),
                                {{"Content-Type", manifest.media_type}},
                                manifest.bytes};
      TRY_ASSIGN(const HttpResponse response, remote_.send(request, {repository, true}, Again::kYes, stop));
      if (response.status != 201 && response.status != 202 && response.status != 200)
        return fail(remote_.refusal(response, cat("push to ", quoted(cat(repository, ":", reference)))));
    }
    return {};
  }

  Result<std::optional<BlobRef>> find(const Named& named, Looks*, const std::stop_token& stop) override {
    HttpRequest request{"HEAD",
                        cat("/v2/", named.repository, "/manifests/", named.reference),
                        {{"Accept", std::string(kManifestTypes)}},
                        ""};
    TRY_ASSIGN(HttpResponse response, remote_.send(request, {named.repository}, Again::kYes, stop));
    if (response.status == 404) return std::optional<BlobRef>();
    const std::string doing = cat("look for ", quoted(cat(named.repository, ":", named.reference)));
    if (response.status != 200) return fail(remote_.refusal(response, doing));
    const std::string* type = header_of(response, "content-type");
    const std::string* digest = header_of(response, "docker-content-digest");
    const std::string* length = header_of(response, "content-length");
    const std::optional<Sha256> parsed = digest != nullptr ? parse_digest(*digest) : std::nullopt;
    const std::optional<double> size = length == nullptr ? std::nullopt : parse_number(*length);
    if (type != nullptr && parsed && size)
      return std::optional(BlobRef{type_alone(*type), *parsed, static_cast<std::uint64_t>(*size)});
    request.method = "GET";  // of one that tells less
    TRY_ASSIGN(response, remote_.send(request, {named.repository}, Again::kYes, stop));
    if (response.status != 200) return fail(remote_.refusal(response, doing));
    type = header_of(response, "content-type");
    return std::optional(BlobRef{type == nullptr ? kManifestType : type_alone(*type),
                                 sha256_of(response.body), response.body.size()});
  }

 private:
  struct Upload {
    std::string location;
    std::string repository;
    std::uint64_t arrived = 0;
  };

  static std::string blob_path(const std::string& repository, const Sha256& digest) {
    return cat("/v2/", repository, "/blobs/", digest_text(digest));
  }

  static std::string type_alone(const std::string& content_type) {
    return std::string(trim(std::string_view(content_type).substr(0, content_type.find(';'))));
  }

  Error damaged(const std::string& repository, const BlobRef& blob) const {
    return user_error(cat(quoted(remote_.address().host), " does not give ", digest_text(blob.digest), " of ",
                          quoted(repository), " as its digest says"),
                      "Nothing of it was kept; is there a proxy in between?")
        .because(Blame::kRemote);
  }

  Error lost(const std::string& doing) const {
    return user_error(cat("Cannot ", doing, ": ", quoted(remote_.address().host),
                          " loses the upload again and again"),
                      "Run it again; what it has by then is not sent again")
        .because(Blame::kRemote);
  }

  Result<Upload> begin(const std::string& repository, const std::string& doing, const std::stop_token& stop) {
    const HttpRequest request{"POST", cat("/v2/", repository, "/blobs/uploads/"), {}, ""};
    TRY_ASSIGN(const HttpResponse response, remote_.send(request, {repository, true}, Again::kYes, stop));
    const std::string* location = header_of(response, "location");
    if (response.status != 202 || location == nullptr) return fail(remote_.refusal(response, doing));
    return Upload{resolved(*location, remote_.address()), repository};
  }

  void follow(Upload& upload, const HttpResponse& response) const {
    if (const std::string* location = header_of(response, "location"))
      upload.location = resolved(*location, remote_.address());
  }

  // True when all of it is there; false when the upload is lost, and has to be begun again.
  Result<bool> carry(Upload& upload, const BlobRef& blob, const std::string& path, const std::string& doing,
                     const std::stop_token& stop) {
    const Scope scope{upload.repository, true};
    int cuts = 0;
    while (blob.size > kPiece && upload.arrived < blob.size) {
      const std::uint64_t size = std::min(kPiece, blob.size - upload.arrived);
      HttpRequest piece{"PATCH",
                        upload.location,
                        {{"Content-Type", "application/octet-stream"},
                         {"Content-Range", cat(upload.arrived, "-", upload.arrived + size - 1)}},
                        ""};
      set_body(piece, host_.files, path, upload.arrived, size);
      const Result<HttpResponse> response = remote_.send(piece, scope, Again::kNo, stop);
      if (response && response->status == 202) {
        follow(upload, *response);
        upload.arrived += size;
        cuts = 0;
        continue;
      }
      const std::uint64_t before = upload.arrived;
      TRY_ASSIGN(const bool goes_on, ask_how_far(upload, response, doing, stop));
      if (!goes_on) return false;
      cuts = upload.arrived > before ? 0 : cuts + 1;
      if (cuts == kMostCuts) return fail(lost(doing));
    }
    HttpRequest last{"PUT",
                     cat(upload.location, upload.location.find('?') == std::string::npos ? "?" : "&",
                         "digest=", percent_encoded(digest_text(blob.digest))),
                     {{"Content-Type", "application/octet-stream"}},
                     ""};
    if (upload.arrived < blob.size)
      set_body(last, host_.files, path, upload.arrived, blob.size - upload.arrived);
    const Result<HttpResponse> response = remote_.send(last, scope, Again::kNo, stop);
    if (response && (response->status == 201 || response->status == 204)) return true;
    if (response && is_final(response->status)) return fail(remote_.refusal(*response, doing));
    if (!response && response.error().blame != Blame::kRemote) return fail(response.error());
    if (host_.clock.wait(kPause, stop)) return fail(interrupted_error());
    // It may have arrived, and only the answer was lost.
    TRY_ASSIGN(const std::optional<std::uint64_t> there,
               size_of(upload.repository, blob.digest, nullptr, stop));
    return there.has_value();
  }

  // After a piece that was not taken well: true when the upload goes on from where it is now.
  Result<bool> ask_how_far(Upload& upload, const Result<HttpResponse>& response, const std::string& doing,
                           const std::stop_token& stop) {
    if (!response && response.error().blame != Blame::kRemote) return fail(response.error());
    if (response && is_final(response->status) && response->status != 416 && response->status != 404)
      return fail(remote_.refusal(*response, doing));
    if (host_.clock.wait(kPause, stop)) return fail(interrupted_error());
    const HttpRequest request{"GET", upload.location, {}, ""};
    TRY_ASSIGN(const HttpResponse state, remote_.send(request, {upload.repository, true}, Again::kYes, stop));
    const std::optional<std::uint64_t> arrived = arrived_of(state);
    if (state.status != 204 || !arrived) return false;
    follow(upload, state);
    upload.arrived = *arrived;
    return true;
  }

  // What asking again does not heal. A 401 does heal: the next request of the upload carries a login.
  static bool is_final(int status) {
    return status >= 400 && status < 500 && status != 401 && status != 408 && status != 429;
  }

  // One answer to a read; false when it was cut. The login does not go where it redirects.
  Result<bool> fetch(HttpRequest& request, const std::string& repository, const std::stop_token& stop) {
    constexpr int kMostRedirects = 5;
    const std::string url = request.url;
    for (int redirects = 0;; ++redirects) {
      Result<HttpResponse> response = remote_.send(request, {repository}, Again::kNo, stop);
      if (!response) {
        request.url = url;
        if (response.error().blame != Blame::kRemote) return fail(std::move(response).error());
        if (host_.clock.wait(kPause, stop)) return fail(interrupted_error());
        return false;
      }
      const std::string* location = header_of(*response, "location");
      if (response->status >= 300 && response->status < 400 && location != nullptr &&
          redirects < kMostRedirects) {
        request.url = resolved(*location, remote_.address());
        continue;
      }
      request.url = url;
      if (response->status == 200 || response->status == 206) return true;
      if (is_final(response->status) || response->status == 401)
        return fail(remote_.refusal(*response, cat("read from ", quoted(repository))));
      if (host_.clock.wait(kPause, stop)) return fail(interrupted_error());
      return false;
    }
  }

  static constexpr std::chrono::milliseconds kPause{300};

  Host& host_;
  Remote remote_;
};

}  // namespace

std::string url_of_registry(const std::string& host, bool insecure) {
  const std::size_t colon = host.ends_with(']') ? host.npos : host.rfind(':');
  const std::string name = host.substr(0, colon);
  const bool loopback = name == "localhost" || name.starts_with("127.") || name == "[::1]";
  const std::string reached = host == "docker.io" ? "registry-1.docker.io" : host;
  return cat(loopback || insecure ? "http://" : "https://", reached);
}

std::unique_ptr<Registry> make_remote_registry(Host& host, const std::string& registry,
                                               const std::string& url, bool insecure, Tally& tally) {
  std::string reached = url.empty() ? url_of_registry(registry, insecure) : url;
  while (reached.ends_with('/')) reached.pop_back();
  return std::make_unique<HttpRegistry>(host, RemoteAddress{registry, std::move(reached)}, tally);
}

}  // namespace trainmake
