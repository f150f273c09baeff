#include "tests/support/fake_registry.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/hash.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kApi = "/v2/";
constexpr std::string_view kElsewhere = "https://cdn.example.com/";

std::string digest_of_bytes(std::string_view bytes) { return cat("sha256:", sha256_of(bytes).hex()); }

bool is_digest(std::string_view text) {
  return text.starts_with("sha256:") && text.size() == 71 &&
         text.find_first_not_of("0123456789abcdef", 7) == text.npos;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' ? whole_number<std::uint8_t>(text.substr(i + 1, 2), 16) : std::nullopt;
    out += byte ? static_cast<char>(*byte) : text[i];
    i += byte ? 2 : 0;
  }
  return out;
}

HttpResponse errors(int status, const std::string& code) {
  return {status,
          {{"content-type", "application/json"}},
          Json{{"errors", {{{"code", code}, {"message", "as the spec says"}}}}}.dump()};
}

const std::string* header(const HttpRequest& request, std::string_view name) {
  const auto found = std::find_if(request.headers.begin(), request.headers.end(),
                                  [&](const auto& each) { return each.first == name; });
  return found == request.headers.end() ? nullptr : &found->second;
}

std::string type_in(const std::string& document) {
  const Json json = parse_json<Json>(document);
  return json.is_object() && json.contains("mediaType") ? json["mediaType"].get<std::string>()
                                                        : std::string();
}

}  // namespace

struct FakeRegistry::Asked {
  const HttpRequest& request;
  std::string repository;
  std::string kind;  // blobs, uploads or manifests
  std::string name;  // a digest, a tag, an upload's id
  std::map<std::string, std::string> query = {};

  static std::optional<Asked> read(const HttpRequest& request, const std::string& url) {
    if (!request.url.starts_with(cat(url, kApi))) return std::nullopt;
    const std::string path = request.url.substr(url.size() + kApi.size());
    Asked asked{request, "", "", ""};
    const std::size_t end = std::min(path.find('?'), path.size());
    for (const std::string& pair : split(end < path.size() ? path.substr(end + 1) : "", '&')) {
      const std::size_t equals = std::min(pair.find('='), pair.size() - 1);
      asked.query[pair.substr(0, equals)] = percent_decoded(std::string_view(pair).substr(equals + 1));
    }
    for (const auto& [mark, kind] :
         {std::pair{"/blobs/uploads/", "uploads"}, {"/blobs/", "blobs"}, {"/manifests/", "manifests"}}) {
      const std::size_t at = path.rfind(mark, end);
      if (at == path.npos || at == 0) continue;
      asked.repository = path.substr(0, at);
      asked.kind = kind;
      const std::size_t name = at + std::string_view(mark).size();
      asked.name = path.substr(name, end - name);
      return asked;
    }
    return std::nullopt;
  }
};

Result<HttpResponse> FakeRegistry::answer(const HttpRequest& request) {
  const auto cut_off = [&] { return fail(user_error("Cannot reach it: cut").because(Blame::kRemote)); };
  const std::optional<Fault> trouble = fault ? fault(request) : std::nullopt;
  if (trouble && trouble->status != 0) return HttpResponse{trouble->status, trouble->headers, ""};
  if (request.url.starts_with(kElsewhere)) {
    if (header(request, "Authorization") != nullptr) return refuse("the login went to another host");
    for (const auto& [repository, kept] : blobs) {
      const auto found = kept.find(request.url.substr(kElsewhere.size()));
      if (found == kept.end()) continue;
      const std::string size = std::to_string(found->second.size());
      return HttpResponse{200, {{"content-length", size}}, request.method == "HEAD" ? "" : found->second};
    }
    return HttpResponse{404, {}, ""};
  }
  HttpRequest arrived = request;
  if (trouble)
    arrived.body.resize(
        static_cast<std::size_t>(trouble->of_body * static_cast<double>(arrived.body.size())));
  const std::optional<Asked> asked = Asked::read(arrived, url_);
  if (!asked) return refuse(cat("no such address: ", request.url));
  if (trouble && arrived.method != "PATCH") return cut_off();
  if (arrived.body.size() > quirks.most_at_once) return HttpResponse{413, {}, "too large"};
  HttpResponse response = serve(*asked);
  if (trouble) return cut_off();
  return response;
}

HttpResponse FakeRegistry::refuse(const std::string& why) {
  wrong.push_back(why);
  return errors(400, "UNSUPPORTED");
}

HttpResponse FakeRegistry::serve(const Asked& asked) {
  const bool fine =
      !asked.repository.empty() &&
      asked.repository.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-/") == std::string::npos;
  if (!fine) return refuse(cat("no such repository: ", asked.repository));
  if (asked.kind == "blobs") return blob(asked);
  return asked.kind == "uploads" ? upload(asked) : manifest(asked);
}

HttpResponse FakeRegistry::blob(const Asked& asked) {
  const std::string& method = asked.request.method;
  if ((method != "HEAD" && method != "GET") || !is_digest(asked.name))
    return refuse(cat(method, " of a blob ", asked.name));
  if (method == "HEAD" && !quirks.knows_head) return errors(405, "UNSUPPORTED");
  const auto found = blobs[asked.repository].find(asked.name);
  if (found == blobs[asked.repository].end()) return errors(404, "BLOB_UNKNOWN");
  if (quirks.redirects_blobs) return {307, {{"location", cat(kElsewhere, asked.name)}}, ""};
  HttpResponse response{200, {{"docker-content-digest", asked.name}}, found->second};
  const std::string* range = header(asked.request, "Range");
  if (range != nullptr && quirks.knows_ranges) {
    const auto from = whole_number<std::uint64_t>(range->substr(6, range->size() - 7));
    if (!range->starts_with("bytes=") || !range->ends_with('-') || !from || *from >= found->second.size())
      return errors(416, "SIZE_INVALID");
    response.status = 206;
    response.body = found->second.substr(*from);
  }
  response.headers.emplace_back("content-length", std::to_string(response.body.size()));
  if (method == "HEAD") response.body.clear();
  return response;
}

HttpResponse FakeRegistry::upload_state(int status, const Asked& asked, Upload& upload,
                                        const std::string& id) {
  ++upload.state;
  const std::string path = cat(kApi, asked.repository, "/blobs/uploads/", id, "?_state=", upload.state);
  const bool begins = asked.name.empty();
  std::string location = path;
  if (quirks.locations == Locations::kWhole) location = cat(url_, path);
  if (quirks.locations == Locations::kRelative) location = cat(id, "?_state=", upload.state);
  HttpResponse response{
      status,
      {{"location", location}, {"range", cat("0-", std::max<std::size_t>(upload.bytes.size(), 1) - 1)}},
      ""};
  if (begins && quirks.least_piece > 0)
    response.headers.emplace_back("oci-chunk-min-length", std::to_string(quirks.least_piece));
  return response;
}

HttpResponse FakeRegistry::begin_upload(const Asked& asked) {
  if (!asked.request.body.empty()) return refuse("a body to begin an upload with");
  const auto digest = asked.query.find("mount");
  if (digest != asked.query.end()) {
    const auto from = asked.query.find("from");
    if (!is_digest(digest->second) || from == asked.query.end())
      return refuse("a mount of nothing or from nowhere");
    const auto found = blobs[from->second].find(digest->second);
    if (quirks.mounts && found != blobs[from->second].end()) {
      blobs[asked.repository][digest->second] = found->second;
      return {201, {{"location", cat(kApi, asked.repository, "/blobs/", digest->second)}}, ""};
    }
  }
  const std::string id = cat("upload-", ++last_upload_);
  return upload_state(202, asked, uploads_[id] = {asked.repository, "", 0, 0}, id);
}

HttpResponse FakeRegistry::upload(const Asked& asked) {
  const std::string& method = asked.request.method;
  if (asked.name.empty())
    return method == "POST" ? begin_upload(asked) : refuse(cat(method, " of all uploads"));
  const auto found = uploads_.find(asked.name);
  if (found == uploads_.end() || found->second.repository != asked.repository)
    return errors(404, "BLOB_UPLOAD_UNKNOWN");
  Upload& upload = found->second;
  const auto state = asked.query.find("_state");
  if (state == asked.query.end() || state->second != std::to_string(upload.state))
    return refuse("not the last address of an upload");
  if (method == "GET")
    return quirks.tells_upload_state ? upload_state(204, asked, upload, asked.name)
                                     : errors(404, "BLOB_UPLOAD_UNKNOWN");
  const std::string* type = header(asked.request, "Content-Type");
  if (!asked.request.body.empty() && (type == nullptr || *type != "application/octet-stream"))
    return refuse("bytes of another type");
  if (method == "PATCH") return take_piece(asked, upload, asked.name);
  if (method == "DELETE") {
    uploads_.erase(asked.name);
    return {204, {}, ""};
  }
  return method == "PUT" ? end_upload(asked, upload, asked.name) : refuse(cat(method, " of an upload"));
}

HttpResponse FakeRegistry::take_piece(const Asked& asked, Upload& upload, const std::string& id) {
  const std::string* range = header(asked.request, "Content-Range");
  const std::size_t dash = range == nullptr ? std::string::npos : range->find('-');
  const auto first =
      dash == std::string::npos ? std::nullopt : whole_number<std::uint64_t>(range->substr(0, dash));
  const auto last =
      dash == std::string::npos ? std::nullopt : whole_number<std::uint64_t>(range->substr(dash + 1));
  if (!first || !last || *last < *first) return refuse("a piece without its range");
  if (*first != upload.bytes.size()) return errors(416, "BLOB_UPLOAD_INVALID");
  if (*first > 0 && upload.last_piece < quirks.least_piece)
    return refuse("a piece that is too small, and not the last");
  if (*last - *first + 1 < asked.request.body.size()) return refuse("a piece longer than its range");
  upload.bytes +=
      asked.request.body.substr(0, std::min<std::uint64_t>(quirks.takes_of_piece, asked.request.body.size()));
  upload.last_piece = *last - *first + 1;
  if (*last - *first + 1 != asked.request.body.size()) return {};  // it was cut: the address stays
  return upload_state(quirks.piece_status, asked, upload, id);
}

HttpResponse FakeRegistry::end_upload(const Asked& asked, Upload& upload, const std::string& id) {
  const auto digest = asked.query.find("digest");
  if (digest == asked.query.end() || !is_digest(digest->second)) return refuse("an upload without a digest");
  const std::string bytes = upload.bytes + asked.request.body;
  uploads_.erase(id);
  if (digest_of_bytes(bytes) != digest->second) return errors(400, "DIGEST_INVALID");
  blobs[asked.repository][digest->second] = bytes;
  return {201,
          {{"location", cat(kApi, asked.repository, "/blobs/", digest->second)},
           {"docker-content-digest", digest->second}},
          ""};
}

HttpResponse FakeRegistry::manifest(const Asked& asked) {
  const std::string& method = asked.request.method;
  if (method == "PUT") return take_manifest(asked);
  if (method != "HEAD" && method != "GET") return refuse(cat(method, " of a manifest"));
  if (method == "HEAD" && !quirks.knows_head) return errors(405, "UNSUPPORTED");
  const std::string digest = is_digest(asked.name) ? asked.name : tags[asked.repository][asked.name];
  const auto found = manifests[asked.repository].find(digest);
  if (found == manifests[asked.repository].end()) return errors(404, "MANIFEST_UNKNOWN");
  const std::string type = type_in(found->second);
  const std::string* accepted = header(asked.request, "Accept");
  if (accepted == nullptr || accepted->find(type) == std::string::npos)
    return errors(404, "MANIFEST_UNKNOWN");
  HttpResponse response{
      200, {{"content-type", type}, {"content-length", std::to_string(found->second.size())}}, found->second};
  if (quirks.tells_digests) response.headers.emplace_back("docker-content-digest", digest);
  if (method == "HEAD") response.body.clear();
  return response;
}

HttpResponse FakeRegistry::take_manifest(const Asked& asked) {
  const std::string& bytes = asked.request.body;
  const std::string* type = header(asked.request, "Content-Type");
  if (type == nullptr || *type != type_in(bytes)) return refuse("a manifest of another type than it says");
  const std::string digest = digest_of_bytes(bytes);
  if (is_digest(asked.name) && asked.name != digest) return errors(400, "DIGEST_INVALID");
  const Json json = parse_json<Json>(bytes);
  const bool is_index = json.contains("manifests");
  Json parts = is_index ? json["manifests"] : json.value("layers", Json::array());
  if (!is_index) parts.push_back(json.value("config", Json::object()));
  const auto& kept = is_index ? manifests[asked.repository] : blobs[asked.repository];
  for (const Json& part : parts) {
    if (!kept.contains(part.value("digest", "")))
      return errors(400, is_index ? "MANIFEST_UNKNOWN" : "MANIFEST_BLOB_UNKNOWN");
  }
  manifests[asked.repository][digest] = bytes;
  if (!is_digest(asked.name)) tags[asked.repository][asked.name] = digest;
  HttpResponse response{201, {{"location", cat(kApi, asked.repository, "/manifests/", digest)}}, ""};
  if (quirks.tells_digests) response.headers.emplace_back("docker-content-digest", digest);
  return response;
}

}  // namespace trainmake
