#include "cache/stores/s3/s3_client.h"

#include <algorithm>

#include "cache/stores/s3/s3_answers.h"
#include "engine/base/hash.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kNoSuchHost = "resolve host";  // of libcurl's words

bool is_expected(int status, std::initializer_list<int> expected) {
  return status < 300 || std::find(expected.begin(), expected.end(), status) != expected.end();
}

// One of somebody's own may know no names of buckets before its own.
bool may_want_path_style(const S3Place& place) { return !place.path_style && !place.service.empty(); }

std::string path_style_advice(const S3Place& place) {
  return cat("Many a service wants the bucket in the path, not in the host: `path_style = true` on store ",
             quoted(place.name));
}

// What to do about a code of S3's.
std::string advice(const S3Error& error, const S3Place& place, const HttpResponse& response,
                   std::int64_t now_ns) {
  const std::string& code = error.code;
  const std::string told = header_value(response, "x-amz-bucket-region");
  const std::string region = !told.empty() ? told : error.region;
  if (code == "NoSuchBucket")
    return cat("Check the name; `create = true` on store ", quoted(place.name), " makes it");
  if (code == "InvalidBucketName" && may_want_path_style(place)) return path_style_advice(place);
  if (code == "RequestTimeTooSkewed") {
    const std::optional<std::int64_t> theirs = http_time_ns(header_value(response, "date"));
    const std::int64_t off = theirs ? (now_ns - *theirs) / 1'000'000 : 0;
    return cat("This machine's clock is ", human_duration(std::abs(off)), off < 0 ? " behind" : " ahead of",
               " the service's: set it");
  }
  if (code == "PermanentRedirect" || code == "AuthorizationHeaderMalformed" ||
      code == "IllegalLocationConstraintException" || response.status == 301)
    return region.empty() ? std::string("Set the bucket's `region` on the store")
                          : cat("The bucket is in another region: `region = \"", region, "\"` on the store");
  if (code == "SignatureDoesNotMatch" || code == "InvalidAccessKeyId" || code == "XAdminUserNotFound" ||
      code == "InvalidToken" || code == "ExpiredToken")
    return "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile: the service does not know "
           "these keys";
  if (response.status == 403) return "These keys may not do that: whoever owns the bucket can allow it";
  if (response.status == 507 || code == "QuotaExceeded" || code == "XMinioStorageFull" ||
      code == "EntityTooLarge")
    return "The store is full, or takes nothing so large; what arrived by then is not sent again";
  return "Run it again when the store is well; what it has by then is not sent again";
}

}  // namespace

S3Client::S3Client(Host& host, S3Place place, Tally& tally)
    : host_(host),
      place_(std::move(place)),
      tally_(tally),
      account_(host, place_.profile),
      sender_(host, place_.sends) {}

Result<std::string> S3Client::region() {
  if (!place_.region.empty()) return place_.region;
  TRY_ASSIGN(std::string said, account_.region());
  return said.empty() ? std::string(kUsualRegion) : said;
}

Error S3Client::refusal(const HttpResponse& response, const std::string& doing) const {
  const S3Error error = parse_s3_error(response.body);
  const std::string told = cat(error.code.empty() ? "" : cat(", ", error.code),
                               error.message.empty() ? "" : cat(": ", error.message));
  return user_error(cat("Cannot ", doing, ": store ", quoted(place_.name), " answers ", response.status,
                        printable(account_.redactor().redact(told))),
                    advice(error, place_, response, host_.clock.now_ns()))
      .because(Blame::kRemote);
}

void S3Client::count(const S3Request& request) {
  std::string name = request.query.find("list-type=") == std::string::npos ? request.method : "LIST";
  for (char& c : name) c = static_cast<char>(c + ('a' - 'A'));
  const auto method = std::find(kMethods.begin(), kMethods.end(), name);
  CHECK(method != kMethods.end());
  ++tally_.requests[static_cast<std::size_t>(method - kMethods.begin())];
}

Result<HttpRequest> S3Client::make(const S3Request& request, const std::stop_token& stop) {
  TRY_ASSIGN(const AwsKeys keys, account_.keys(stop));
  TRY_ASSIGN(const std::string where, region());
  S3Place reached = place_;
  if (reached.service.empty()) reached.service = cat("https://s3.", where, ".amazonaws.com");
  HttpRequest made;
  made.method = request.method;
  made.url = reached.url(request.key, request.query);
  made.headers = request.headers;
  if (request.reading != nullptr) request.reading->ask(made);
  if (request.piece == nullptr)
    send_bytes(request.body, made);
  else
    TRY(send_range(host_.files, request.piece->range, made));
  const Sha256 digest = request.piece == nullptr ? sha256_of(request.body) : request.piece->digest;
  sign_aws(made, digest.hex(), keys, {where, "s3"}, host_.clock.now_ns());
  count(request);
  return made;
}

Result<HttpResponse> S3Client::send(const S3Request& request, const std::string& doing,
                                    const std::stop_token& stop, std::initializer_list<int> expected) {
  Result<HttpResponse> answered =
      sender_.send([&] { return make(request, stop); },
                   {{request.body_size(), request.is_urgent}, request.may_write}, stop);
  if (!answered && answered.error().message.find(kNoSuchHost) != std::string::npos &&
      may_want_path_style(place_))
    return fail(std::move(answered).error().advise(path_style_advice(place_)));
  TRY_ASSIGN(HttpResponse response, std::move(answered));
  if (!is_expected(response.status, expected)) return fail(refusal(response, doing));
  return response;
}

}  // namespace trainmake
