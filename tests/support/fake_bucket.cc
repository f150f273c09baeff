#include "tests/support/fake_bucket.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "engine/base/encoding.h"
#include "engine/base/hash.h"
#include "engine/base/text.h"
#include "engine/cloud/hmac.h"

namespace trainmake {
namespace {

constexpr std::time_t kNow_s = 784'111'777;

std::string http_date(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

const std::string* header(const HttpRequest& request, std::string_view name) {
  for (const auto& [known, value] : request.headers) {
    if (known == name) return &value;
  }
  return nullptr;
}

std::string quoted_md5(std::string_view bytes) { return cat("\"", hex_of(md5(bytes)), "\""); }

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
  return out;
}

// What stands between `<name>` and `</name>`, each time.
std::vector<std::string> fields(const std::string& xml, const std::string& name) {
  std::vector<std::string> found;
  const std::string open = cat("<", name, ">"), close = cat("</", name, ">");
  for (std::size_t at = xml.find(open); at != xml.npos; at = xml.find(open, at + 1)) {
    const std::size_t begin = at + open.size();
    found.push_back(xml.substr(begin, xml.find(close, begin) - begin));
  }
  return found;
}

}  // namespace

struct FakeBucket::Asked {
  const HttpRequest& request;
  std::string key;
  std::map<std::string, std::string> query;

  bool has(const std::string& name) const { return query.contains(name); }
  std::string get(const std::string& name) const { return has(name) ? query.at(name) : ""; }
};

// Of what was put in parts it is another than once that is copied, and of what is encrypted no MD5.
std::string FakeBucket::etag_of(const std::string& key) const {
  if (!one_tag.empty()) return cat("\"", one_tag, "\"");
  const std::string whole = quoted_md5(objects.at(key));
  const auto other = other_tags_.find(key);
  return other != other_tags_.end() && other->second.md5 == whole ? other->second.etag : whole;
}

HttpResponse FakeBucket::refuse(int status, const std::string& code, const std::string& why) {
  if (!why.empty()) wrong.push_back(why);
  return {status,
          {{"date", "Sun, 06 Nov 1994 08:49:37 GMT"}},
          cat("<?xml version=\"1.0\"?><Error><Code>", code, "</Code><Message>", why.empty() ? code : why,
              "</Message></Error>")};
}

// As the service checks it: made again of what arrived.
std::string FakeBucket::unsigned_because(const HttpRequest& request) const {
  const std::string* authorization = header(request, "Authorization");
  const std::string* date = header(request, "x-amz-date");
  const std::string* payload = header(request, "x-amz-content-sha256");
  if (authorization == nullptr || date == nullptr || payload == nullptr) return "it is not signed";
  if (*payload != sha256_of(request.body).hex()) return "its body is not what was signed";
  std::tm utc{};
  if (::strptime(date->c_str(), "%Y%m%dT%H%M%SZ", &utc) == nullptr) return "its date is none";
  HttpRequest again = request;
  std::erase_if(again.headers, [](const auto& each) {
    return each.first == "Authorization" || each.first == "x-amz-date" ||
           each.first == "x-amz-content-sha256" || each.first == "x-amz-security-token";
  });
  sign_aws(again, *payload, keys_, {region_, "s3"},
           static_cast<std::int64_t>(::timegm(&utc)) * 1'000'000'000);
  return again.headers.back().second == *authorization ? "" : "its signature is another";
}

Result<HttpResponse> FakeBucket::answer(const HttpRequest& given) {
  HttpRequest request = given;
  while (given.body_from && request.body.size() < given.body_size) {
    std::string piece(std::min<std::uint64_t>(std::uint64_t{1} << 20U, given.body_size - request.body.size()),
                      ' ');
    TRY_ASSIGN(const std::size_t count, given.body_from(piece));
    request.body.append(piece, 0, count);
  }
  request.body_from = nullptr;
  const std::optional<Fault> trouble = fault ? fault(request) : std::nullopt;
  const auto troubled = [&]() -> Result<HttpResponse> {
    if (trouble->status == 0) return fail(user_error("The connection was cut").because(Blame::kRemote));
    HttpResponse response = refuse(trouble->status, trouble->code);
    response.headers.insert(response.headers.end(), trouble->headers.begin(), trouble->headers.end());
    return response;
  };
  if (trouble && !trouble->done) return troubled();
  const std::string begin = cat(url_, "/", name_);
  if (!request.url.starts_with(begin))
    return refuse(400, "InvalidURI", cat("no such address: ", request.url));
  if (const std::string why = unsigned_because(request); !why.empty())
    return refuse(403, "SignatureDoesNotMatch");
  std::string_view rest = std::string_view(request.url).substr(begin.size());
  Asked asked{request, "", {}};
  const std::size_t question = std::min(rest.find('?'), rest.size());
  asked.key =
      percent_decoded(rest.substr(std::min<std::size_t>(question, 1), question > 0 ? question - 1 : 0));
  for (const std::string& pair :
       split(question < rest.size() ? rest.substr(question + 1) : std::string_view(), '&')) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    asked.query[pair.substr(0, equals)] =
        equals < pair.size() ? percent_decoded(pair.substr(equals + 1)) : "";
  }
  HttpResponse response = perform(asked);
  if (!server.empty()) response.headers.emplace_back("server", server);
  return trouble ? troubled() : Result<HttpResponse>(std::move(response));
}

HttpResponse FakeBucket::perform(const Asked& asked) {
  if (asked.key.empty()) return of_bucket(asked);
  if (!exists) return refuse(404, "NoSuchBucket");
  if (!is_utf8(asked.key))
    return refuse(400, "InvalidURI", cat("a key that is no UTF-8: ", quoted(asked.key)));
  return of_object(asked);
}

HttpResponse FakeBucket::of_bucket(const Asked& asked) {
  const std::string& method = asked.request.method;
  if (method == "PUT" && asked.query.empty()) {
    if (exists) return refuse(409, "BucketAlreadyOwnedByYou");
    const std::string told = cat("<LocationConstraint>", region_, "</LocationConstraint>");
    const bool is_right = region_ == "us-east-1" ? asked.request.body.empty()
                                                 : asked.request.body.find(told) != std::string::npos;
    if (!is_right) return refuse(400, "IllegalLocationConstraintException", asked.request.body);
    exists = true;
    return {200, {}, ""};
  }
  if (!exists) return refuse(404, "NoSuchBucket");
  if (method == "GET" && asked.get("list-type") == "2") return list(asked);
  if (method == "POST" && asked.has("delete")) return remove_many(asked);
  return refuse(405, "MethodNotAllowed", cat(method, " of a bucket"));
}

HttpResponse FakeBucket::list(const Asked& asked) const {
  const std::string prefix = asked.get("prefix"), after = asked.get("continuation-token");
  const bool encodes = asked.get("encoding-type") == "url";
  std::string entries;
  std::size_t count = 0;
  std::string last;
  const auto is_asked = [&](const std::string& key) { return heeds_prefix ? key.starts_with(prefix) : true; };
  auto at = !after.empty() ? objects.upper_bound(after)
                           : objects.lower_bound(heeds_prefix ? prefix : std::string());
  for (; at != objects.end() && is_asked(at->first) && count < page; ++at, ++count) {
    last = at->first;
    entries +=
        cat("<Contents><Key>", encodes ? percent_encoded(at->first) : escaped(at->first), "</Key><Size>",
            at->second.size(), "</Size><ETag>", etag_of(at->first), "</ETag></Contents>");
  }
  const bool more = at != objects.end() && is_asked(at->first);
  return {200,
          {},
          cat("<?xml version=\"1.0\"?><ListBucketResult>", encodes ? "<EncodingType>url</EncodingType>" : "",
              "<IsTruncated>", more ? "true" : "false", "</IsTruncated>",
              more ? cat("<NextContinuationToken>", escaped(last), "</NextContinuationToken>") : "", entries,
              "</ListBucketResult>")};
}

HttpResponse FakeBucket::complete(const Asked& asked) {
  const auto upload = uploads.find(asked.get("uploadId"));
  if (upload == uploads.end()) return refuse(404, "NoSuchUpload");
  const std::vector<std::string> numbers = fields(asked.request.body, "PartNumber");
  std::vector<std::string> tags = fields(asked.request.body, "ETag");
  std::string whole, digests;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto part = upload->second.find(whole_number<int>(numbers[i]).value_or(0));
    std::string tag = i < tags.size() ? tags[i] : "";
    for (std::size_t at = tag.find("&quot;"); at != tag.npos; at = tag.find("&quot;"))
      tag.replace(at, 6, "\"");
    if (part == upload->second.end() || quoted_md5(part->second) != tag)
      return refuse(400, "InvalidPart", "a part that is none");
    if (i + 1 < numbers.size() && part->second.size() < least_part)
      return refuse(400, "EntityTooSmall", cat("a part of ", part->second.size()));
    whole += part->second;
    digests += md5(part->second);
  }
  uploads.erase(upload);
  other_tags_[asked.key] = {quoted_md5(whole), cat("\"", hex_of(md5(digests)), "-", numbers.size(), "\"")};
  objects[asked.key] = std::move(whole);
  metadata[asked.key] = begun_metadata_[asked.get("uploadId")];
  return {200,
          {},
          cat("<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>", etag_of(asked.key),
              "</ETag></CompleteMultipartUploadResult>")};
}

std::string unescaped(std::string text) {
  for (const auto& [from, to] :
       {std::pair("&lt;", "<"), std::pair("&gt;", ">"), std::pair("&quot;", "\""), std::pair("&amp;", "&")}) {
    for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + 1))
      text.replace(at, std::string_view(from).size(), to);
  }
  return text;
}

HttpResponse FakeBucket::remove_many(const Asked& asked) {
  const std::string* md5_header = header(asked.request, "Content-MD5");
  if (md5_header == nullptr || *md5_header != base64_of(md5(asked.request.body)))
    return refuse(400, "InvalidDigest", "a removal without its MD5");
  const std::vector<std::string> keys = fields(asked.request.body, "Key");
  if (keys.size() > 1000 || keys.empty()) return refuse(400, "MalformedXML", "so many keys");
  for (const std::string& key : keys) objects.erase(unescaped(key));
  return {200, {}, "<?xml version=\"1.0\"?><DeleteResult></DeleteResult>"};
}

// What `x-amz-copy-source` names, as far as its condition and range allow.
std::optional<std::string> FakeBucket::copied(const Asked& asked, HttpResponse& refused) {
  const std::string source = percent_decoded(*header(asked.request, "x-amz-copy-source"));
  const std::string* tag = header(asked.request, "x-amz-copy-source-if-match");
  const std::string begin = cat("/", name_, "/");
  const auto found = source.starts_with(begin) ? objects.find(source.substr(begin.size())) : objects.end();
  if (found == objects.end())
    refused = refuse(404, "NoSuchKey");
  else if (tag == nullptr)
    refused = refuse(400, "InvalidRequest", "a copy of anything");
  else if (heeds_conditions && heeds_copy_conditions && *tag != etag_of(found->first))
    refused = refuse(412, "PreconditionFailed");
  else {
    const std::string* range = header(asked.request, "x-amz-copy-source-range");
    if (range == nullptr) return found->second;
    const std::vector<std::string> ends = split(std::string_view(*range).substr(6), '-');
    const auto first = whole_number<std::size_t>(ends[0]), last = whole_number<std::size_t>(ends[1]);
    if (first && last && *first <= *last && *last < found->second.size())
      return found->second.substr(*first, *last - *first + 1);
    refused = refuse(400, "InvalidArgument", cat("no such range: ", *range));
  }
  return std::nullopt;
}

HttpResponse FakeBucket::put(const Asked& asked) {
  const HttpRequest& request = asked.request;
  const auto there = objects.find(asked.key);
  const std::string* none = heeds_conditions ? header(request, "If-None-Match") : nullptr;
  const std::string* match = heeds_conditions ? header(request, "If-Match") : nullptr;
  for (std::size_t at = asked.key.find('/'); has_folders && at != asked.key.npos;
       at = asked.key.find('/', at + 1)) {
    if (objects.contains(asked.key.substr(0, at))) return refuse(409, "ObjectParentIsFile");
  }
  const auto below = objects.lower_bound(cat(asked.key, "/"));
  if (has_folders && below != objects.end() && below->first.starts_with(cat(asked.key, "/")))
    return refuse(409, "ExistingObjectIsDirectory");
  if (none != nullptr && there != objects.end()) return refuse(412, "PreconditionFailed");
  if (match != nullptr && there == objects.end()) return refuse(404, "NoSuchKey");
  if (match != nullptr && *match != etag_of(there->first)) return refuse(412, "PreconditionFailed");
  if (header(request, "x-amz-copy-source") != nullptr) {
    HttpResponse refused;
    const std::optional<std::string> bytes = copied(asked, refused);
    if (!bytes) return refused;
    const std::string source =
        percent_decoded(*header(request, "x-amz-copy-source")).substr(name_.size() + 2);
    metadata[asked.key] = metadata[source];
    objects[asked.key] = *bytes;
    other_tags_.erase(asked.key);
    if (!encryption.empty())
      other_tags_[asked.key] = {quoted_md5(*bytes), quoted_md5(cat(encryption, *bytes))};
    return {200,
            {{"x-amz-server-side-encryption", encryption}},
            cat("<CopyObjectResult><ETag>", etag_of(asked.key), "</ETag></CopyObjectResult>")};
  }
  objects[asked.key] = request.body;
  const std::string* told = header(request, "x-amz-meta-trainmake");
  metadata[asked.key] = told == nullptr ? "" : *told;
  other_tags_.erase(asked.key);
  return {200, {{"etag", etag_of(asked.key)}}, ""};
}

HttpResponse FakeBucket::put_part(const Asked& asked) {
  const auto upload = uploads.find(asked.get("uploadId"));
  if (upload == uploads.end()) return refuse(404, "NoSuchUpload");
  std::string& part = upload->second[whole_number<int>(asked.get("partNumber")).value_or(0)];
  if (header(asked.request, "x-amz-copy-source") == nullptr) {
    part = asked.request.body;
    return {200, {{"etag", quoted_md5(part)}}, ""};
  }
  HttpResponse refused;
  const std::optional<std::string> bytes = copied(asked, refused);
  if (!bytes) return refused;
  part = *bytes;
  ++copied_parts;
  return {200,
          {{"x-amz-server-side-encryption", encryption}},
          cat("<CopyPartResult><ETag>", quoted_md5(part), "</ETag></CopyPartResult>")};
}

HttpResponse FakeBucket::of_object(const Asked& asked) {
  const std::string& method = asked.request.method;
  const auto found = objects.find(asked.key);
  if (method == "POST" && asked.has("uploads")) {
    const std::string id = cat(asked.key, "-", ++begun_);
    uploads[id];
    const std::string* told = header(asked.request, "x-amz-meta-trainmake");
    begun_metadata_[id] = told == nullptr ? "" : *told;
    return {200,
            {},
            cat("<?xml version=\"1.0\"?><InitiateMultipartUploadResult><UploadId>", escaped(id),
                "</UploadId></InitiateMultipartUploadResult>")};
  }
  if (method == "PUT" && asked.has("partNumber")) return put_part(asked);
  if (method == "POST" && asked.has("uploadId")) return complete(asked);
  if (method == "DELETE" && asked.has("uploadId")) {
    uploads.erase(asked.get("uploadId"));
    return {204, {}, ""};
  }
  if (!asked.query.empty()) return refuse(400, "InvalidRequest", cat(method, " with a query"));
  if (method == "PUT") return put(asked);
  if (method == "DELETE") {
    objects.erase(asked.key);
    return {204, {}, ""};
  }
  if (found == objects.end()) return refuse(404, "NoSuchKey");
  const std::string* match = header(asked.request, "If-Match");
  if (match != nullptr && *match != etag_of(found->first)) return refuse(412, "PreconditionFailed");
  return {200,
          {{"etag", etag_of(found->first)},
           {"content-length", cat(found->second.size())},
           {"x-amz-meta-trainmake", metadata[asked.key]},
           {"date", http_date(kNow_s)},
           {"last-modified", http_date(kNow_s - age_s)}},
          method == "HEAD" ? "" : found->second};
}

}  // namespace trainmake
