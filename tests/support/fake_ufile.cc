#include "tests/support/fake_ufile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/encoding.h"
#include "engine/base/text.h"
#include "engine/cloud/hmac.h"
#include "engine/cloud/ufile_signature.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr int kNoBucket = -30010, kWrongSignature = -148658, kNoObject = -148654, kWrongRequest = -148643;

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

std::optional<std::string> header(const HttpRequest& request, const std::string& name) {
  for (const auto& [known, value] : request.headers) {
    if (lower(known) == lower(name)) return value;
  }
  return std::nullopt;
}

std::map<std::string, std::string> parameters_of(std::string_view query) {
  std::map<std::string, std::string> found;
  for (const std::string& pair : split(query, '&')) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    found[percent_decoded(pair.substr(0, equals))] =
        equals < pair.size() ? percent_decoded(pair.substr(equals + 1)) : "";
  }
  return found;
}

// In base64 of urls.
std::string as_tag(std::string_view bytes) {
  std::string text = base64_of(bytes);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string part_tag(std::string_view bytes) { return as_tag(sha1(bytes)); }

// The number of its blocks, and a digest of it or of theirs.
std::string object_tag(std::string_view bytes) {
  constexpr std::size_t kBlock = std::size_t{4} << 20U;
  const std::size_t count = std::max<std::size_t>(1, (bytes.size() + kBlock - 1) / kBlock);
  std::string digests;
  for (std::size_t i = 0; i < count; ++i) digests += sha1(bytes.substr(i * kBlock, kBlock));
  const std::string number = {static_cast<char>(count), static_cast<char>(count >> 8U), '\0', '\0'};
  return as_tag(number + (count == 1 ? digests : sha1(digests)));
}

}  // namespace

struct FakeUfile::Asked {
  const HttpRequest& request;
  std::string key;
  std::map<std::string, std::string> query;

  bool has(const std::string& name) const { return query.contains(name); }
  std::string get(const std::string& name) const { return has(name) ? query.at(name) : ""; }
};

HttpResponse FakeUfile::refuse(int status, int code, const std::string& message, const std::string& why) {
  if (!why.empty()) wrong.push_back(why);
  return {status,
          {{"content-type", "application/json"}, {"x-sessionid", "e2f4fc84"}},
          Json({{"RetCode", code}, {"ErrMsg", message}}).dump()};
}

HttpResponse FakeUfile::stored(const HttpRequest& request, const std::string& etag, std::string body) const {
  const std::string said = say_etag ? say_etag(request, etag) : etag;
  return {200, {{"etag", cat("\"", said, "\"")}}, std::move(body)};
}

Result<HttpResponse> FakeUfile::answer(const HttpRequest& request) {
  const std::optional<Fault> trouble = fault ? fault(request) : std::nullopt;
  const auto troubled = [&]() -> Result<HttpResponse> {
    if (trouble->status == 0) return fail(user_error("The connection was cut").because(Blame::kRemote));
    return refuse(trouble->status, trouble->code, trouble->message);
  };
  if (trouble && !trouble->done) return troubled();
  HttpResponse response = perform(request);
  return trouble ? troubled() : Result<HttpResponse>(std::move(response));
}

// "" when the service would take it, but for its signature.
std::string FakeUfile::wrong_with(const Asked& asked) const {
  const HttpRequest& request = asked.request;
  const std::optional<std::string> digest = header(request, "Content-MD5");
  if (digest && *digest != hex_of(md5(request.body))) return "its body is not what its MD5 says";
  const bool puts = request.method == "PUT" || request.method == "POST";
  if (puts && !header(request, "Content-Type")) return cat(request.method, " without a type");
  if (request.method == "PUT" && !header(request, "X-Ufile-Copy-Source") && !digest) return "PUT without MD5";
  for (const auto& [name, value] : request.headers) {
    if (lower(name).starts_with("x-ucloud-")) return cat("header ", name);
    const bool known = lower(name).starts_with("x-ufile-meta-") ||
                       lower(name).starts_with("x-ufile-copy-source") || !lower(name).starts_with("x-ufile-");
    if (!known) return cat("header ", name);
  }
  if (asked.key.size() > 1023 || asked.key.starts_with('/') || asked.key.starts_with('\\') ||
      !is_utf8(asked.key))
    return cat("a key that cannot be: ", quoted(asked.key));
  constexpr std::size_t kMostBytes = std::size_t{512} << 20U;
  return request.body.size() > kMostBytes ? "so large a body" : "";
}

HttpResponse FakeUfile::perform(const HttpRequest& request) {
  if (request.url == "https://api.ucloud.cn/") return of_api(request);
  const std::string begin = cat("http://", name_, ".", suffix_, "/");
  if (!request.url.starts_with(begin))
    return refuse(400, kWrongRequest, "no such address", cat("no such address: ", request.url));
  const std::string_view rest = std::string_view(request.url).substr(begin.size());
  const std::size_t question = std::min(rest.find('?'), rest.size());
  const Asked asked{request, percent_decoded(rest.substr(0, question)),
                    parameters_of(question < rest.size() ? rest.substr(question + 1) : "")};
  HttpRequest again = request;
  std::erase_if(again.headers, [](const auto& each) { return each.first == "Authorization"; });
  sign_ufile(again, name_, asked.key, keys_);
  if (header(request, "Authorization") != again.headers.back().second)
    return refuse(403, kWrongSignature, "invalid signature");
  if (const std::string why = wrong_with(asked); !why.empty())
    return refuse(400, kWrongRequest, "invalid request", why);
  if (!exists) {
    HttpResponse response = refuse(404, kNoBucket, "bucket not exist");
    if (request.method == "HEAD") response.body.clear();
    return response;
  }
  if (asked.key.empty()) return of_bucket(asked);
  return asked.has("uploads") || asked.has("uploadId") ? of_upload(asked) : of_object(asked);
}

HttpResponse FakeUfile::of_api(const HttpRequest& request) {
  const auto say = [](int code, const std::string& message) {
    return HttpResponse{
        200, {}, Json({{"RetCode", code}, {"Action", "CreateBucketResponse"}, {"Message", message}}).dump()};
  };
  UCloudParameters parameters = parameters_of(request.body);
  const std::string signature = parameters["Signature"];
  parameters.erase("Signature");
  if (request.method != "POST" || parameters["PublicKey"] != keys_.public_key ||
      signature != ucloud_signature(parameters, keys_.private_key))
    return say(171, "Signature VerifyAC Error");
  if (parameters["Action"] != "CreateBucket") return say(161, "Action not found");
  for (const char* name : {"BucketName", "Region", "Type"}) {
    if (parameters[name].empty()) return say(15002, cat("Missing ", name));
  }
  if (parameters["Type"] != "private" && parameters["Type"] != "public") return say(15003, "Wrong Type");
  if (is_made_meanwhile) exists = true;
  if (exists || is_taken || parameters["BucketName"] != name_) return say(15000, "bucket name taken");
  exists = true;
  made_with = parameters;
  return say(0, "");
}

HttpResponse FakeUfile::of_bucket(const Asked& asked) {
  if (asked.request.method == "GET" && asked.has("listobjects")) return list(asked);
  return refuse(405, kWrongRequest, "method not allowed", cat(asked.request.method, " of a bucket"));
}

// In no order that a client could count on, and with a marker that is not the last key.
HttpResponse FakeUfile::list(const Asked& asked) {
  const auto most = whole_number<std::size_t>(asked.get("max-keys"));
  if (!most || *most > 1000 || !asked.get("delimiter").empty())
    return refuse(400, kWrongRequest, "invalid request", "a list of so many");
  const std::string prefix = asked.get("prefix");
  Json contents = Json::array();
  std::string marker;
  auto at = objects.lower_bound(prefix);
  if (asked.get("marker") >= prefix && !asked.get("marker").empty())
    at = objects.upper_bound(asked.get("marker"));
  const auto is_asked = [&](const std::string& key) { return !heeds_prefix || key.starts_with(prefix); };
  if (!heeds_prefix) at = objects.upper_bound(asked.get("marker"));
  for (; at != objects.end() && is_asked(at->first); ++at) {
    if (contents.size() == std::min(page, *most)) break;
    if (marker.empty()) marker = at->first;
    contents.insert(contents.begin(), Json({{"Key", at->first},
                                            {"Size", cat(at->second.size())},
                                            {"ETag", cat("\"", object_tag(at->second), "\"")}}));
  }
  const bool more = at != objects.end() && is_asked(at->first);
  const Json answer = {{"Name", name_},
                       {"IsTruncated", more},
                       {"NextMarker", more ? marker : ""},
                       {"Contents", contents.empty() ? Json() : contents}};
  return {200, {}, answer.dump()};
}

// What `X-Ufile-Copy-Source` names, as far as its range says.
std::optional<std::string> FakeUfile::copied(const Asked& asked, HttpResponse& refused) {
  const std::string source = percent_decoded(*header(asked.request, "X-Ufile-Copy-Source"));
  const std::string begin = cat("/", name_, "/");
  const auto found = source.starts_with(begin) ? objects.find(source.substr(begin.size())) : objects.end();
  if (found == objects.end()) {
    refused = refuse(404, kNoObject, "file not exist");
    return std::nullopt;
  }
  const std::optional<std::string> range = header(asked.request, "X-Ufile-Copy-Source-Range");
  if (!range) return found->second;
  const std::vector<std::string> ends = split(std::string_view(*range).substr(6), '-');
  const auto first = whole_number<std::size_t>(ends[0]), last = whole_number<std::size_t>(ends[1]);
  if (range->starts_with("bytes=") && first && last && *first <= *last && *last < found->second.size())
    return found->second.substr(*first, *last - *first + 1);
  refused = refuse(419, kWrongRequest, "invalid range");
  return std::nullopt;
}

HttpResponse FakeUfile::put(const Asked& asked) {
  const HttpRequest& request = asked.request;
  if (header(request, "X-Ufile-Copy-Source")) {
    HttpResponse refused;
    const std::optional<std::string> bytes = copied(asked, refused);
    if (!bytes) return refused;
    if (bytes->size() > 100'000'000 || !request.body.empty())
      return refuse(400, kWrongRequest, "invalid request", "a copy of so much");
    metadata[asked.key] =
        metadata[percent_decoded(*header(request, "X-Ufile-Copy-Source")).substr(name_.size() + 2)];
    objects[asked.key] = *bytes;
  } else {
    objects[asked.key] = request.body;
    metadata[asked.key] = header(request, "X-Ufile-Meta-Trainmake").value_or("");
  }
  return stored(request, object_tag(objects[asked.key]));
}

HttpResponse FakeUfile::of_object(const Asked& asked) {
  const std::string& method = asked.request.method;
  if (!asked.query.empty())
    return refuse(400, kWrongRequest, "invalid request", cat(method, " with a query"));
  if (method == "PUT") return put(asked);
  const auto found = objects.find(asked.key);
  if (found == objects.end()) {
    HttpResponse response = refuse(404, kNoObject, "file not exist");
    if (method == "HEAD") response.body.clear();
    return response;
  }
  if (method == "DELETE") {
    objects.erase(found);
    return {204, {}, ""};
  }
  if (method != "GET" && method != "HEAD")
    return refuse(405, kWrongRequest, "method not allowed", cat(method, " of an object"));
  const std::optional<std::string> match = header(asked.request, "If-Match");
  if (match && *match != cat("\"", object_tag(found->second), "\""))
    return refuse(412, kWrongRequest, "precondition failed");
  return {200,
          {{"etag", cat("\"", object_tag(found->second), "\"")},
           {"content-length", cat(found->second.size())},
           {"x-ufile-meta-trainmake", metadata[asked.key]},
           {"date", "Sun, 06 Nov 1994 08:49:37 GMT"},
           {"last-modified", "Sun, 06 Nov 1994 08:49:07 GMT"}},
          method == "HEAD" ? "" : found->second};
}

HttpResponse FakeUfile::of_upload(const Asked& asked) {
  const HttpRequest& request = asked.request;
  if (request.method == "POST" && asked.has("uploads")) {
    const std::string id = cat("0f188eb2-", ++begun_);
    uploads[id] = {asked.key, header(request, "X-Ufile-Meta-Trainmake").value_or(""), {}};
    const Json begun = {{"UploadId", id}, {"BlkSize", part_bytes}, {"Bucket", name_}, {"Key", asked.key}};
    return {200, {}, begun.dump()};
  }
  const auto upload = uploads.find(asked.get("uploadId"));
  if (upload == uploads.end() || upload->second.key != asked.key)
    return refuse(404, kNoObject, "upload id not exist");
  if (request.method == "PUT") return put_part(asked);
  if (request.method == "POST") return finish(asked, upload->second);
  if (request.method != "DELETE")
    return refuse(405, kWrongRequest, "method not allowed", cat(request.method, " of an upload"));
  uploads.erase(upload);
  return {200, {}, ""};
}

HttpResponse FakeUfile::put_part(const Asked& asked) {
  const auto number = whole_number<int>(asked.get("partNumber"));
  if (!number || *number < 0) return refuse(400, kWrongRequest, "invalid part", "a part without a number");
  std::string bytes = asked.request.body;
  if (header(asked.request, "X-Ufile-Copy-Source")) {
    HttpResponse refused;
    const std::optional<std::string> found = copied(asked, refused);
    if (!found) return refused;
    bytes = *found;
    ++copied_parts;
  }
  if (bytes.size() > part_bytes || bytes.empty())
    return refuse(400, kWrongRequest, "invalid part", cat("a part of ", bytes.size()));
  uploads[asked.get("uploadId")].parts[*number] = bytes;
  return stored(asked.request, part_tag(bytes), Json({{"PartNumber", *number}}).dump());
}

HttpResponse FakeUfile::finish(const Asked& asked, Upload& upload) {
  std::string whole;
  const std::vector<std::string> tags = split(asked.request.body, ',');
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto part = upload.parts.find(static_cast<int>(i));
    if (part == upload.parts.end() || part_tag(part->second) != tags[i])
      return refuse(400, kWrongRequest, "invalid part", cat("part ", i, " is none"));
    if (i + 1 < tags.size() && part->second.size() != part_bytes)
      return refuse(400, kWrongRequest, "invalid part", cat("a part of ", part->second.size()));
    whole += part->second;
  }
  if (tags.size() != upload.parts.size())
    return refuse(400, kWrongRequest, "invalid part", "parts that are left out");
  metadata[asked.key] = upload.metadata;
  objects[asked.key] = whole;
  uploads.erase(asked.get("uploadId"));
  const Json done = {{"Bucket", name_}, {"Key", asked.key}, {"FileSize", whole.size()}};
  return stored(asked.request, object_tag(whole), done.dump());
}

}  // namespace trainmake
