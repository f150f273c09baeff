#include "cache/stores/s3/s3_client.h"

#include <algorithm>
#include <ctime>

#include "cache/stores/s3/s3_answers.h"
#include "engine/base/hash.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr int kMostTries = 8;
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr const char* kUsualRegion = "us-east-1";

constexpr int kNotImplemented = 501;

bool may_come_right(int status) {
  return status == 408 || status == 429 || (status >= 500 && status != kNotImplemented);
}

bool is_expected(int status, std::initializer_list<int> expected) {
  return status < 300 || std::find(expected.begin(), expected.end(), status) != expected.end();
}

// What to do about a code of S3's.
std::string advice(const S3Error& error, const S3Place& place, const HttpResponse& response,
                   std::int64_t now_ns) {
  const std::string& code = error.code;
  const std::string told = header_value(response, "x-amz-bucket-region");
  const std::string region = !told.empty() ? told : error.region;
  if (code == "NoSuchBucket")
    return cat("Check the name; `create = true` on store ", quoted(place.name), " makes it");
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
  if (code == "SignatureDoesNotMatch" || code == "InvalidAccessKeyId" || code == "InvalidToken" ||
      code == "ExpiredToken")
    return "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile: the service does not know "
           "these keys";
  if (response.status == 403) return "These keys may not do that: whoever owns the bucket can allow it";
  if (response.status == 507 || code == "QuotaExceeded" || code == "XMinioStorageFull" ||
      code == "EntityTooLarge")
    return "The store is full, or takes nothing so large; what arrived by then is not sent again";
  return "Run it again when the store is well; what it has by then is not sent again";
}

}  // namespace

std::string header_value(const HttpResponse& response, std::string_view name) {
  for (const auto& [known, value] : response.headers) {
    if (known == name) return value;
  }
  return "";
}

std::optional<std::int64_t> http_time_ns(const std::string& date) {
  std::tm utc{};
  if (::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S", &utc) == nullptr) return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&utc)) * kSecond;
}

S3Client::S3Client(Host& host, S3Place place, Tally& tally)
    : host_(host),
      place_(std::move(place)),
      tally_(tally),
      account_(host, place_.profile),
      dice_(static_cast<std::uint64_t>(host.clock.steady_ns())) {}

Result<std::string> S3Client::region() {
  if (!place_.region.empty()) return place_.region;
  TRY_ASSIGN(std::string said, account_.region());
  return said.empty() ? kUsualRegion : said;
}

Error S3Client::refusal(const HttpResponse& response, const std::string& doing) const {
  const S3Error error = parse_s3_error(response.body);
  return user_error(cat("Cannot ", doing, ": store ", quoted(place_.name), " answers ", response.status,
                        error.code.empty() ? "" : cat(", ", printable(error.code)),
                        error.message.empty() ? "" : cat(": ", printable(error.message))),
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

// What is large is not copied for it.
Result<void> S3Client::add_body(const S3Request& request, HttpRequest& sent) {
  constexpr std::size_t kCopied = std::size_t{64} << 10U;
  if (request.piece == nullptr && request.body.size() <= kCopied) {
    sent.body = request.body;
    return {};
  }
  sent.body_size = request.body_size();
  if (request.piece == nullptr) {
    sent.body_from = [rest = request.body](std::span<char> into) mutable -> Result<std::size_t> {
      const std::string_view now = rest.substr(0, into.size());
      std::copy(now.begin(), now.end(), into.begin());
      rest.remove_prefix(now.size());
      return now.size();
    };
    return {};
  }
  TRY_ASSIGN(std::shared_ptr<FileReader> reader, host_.files.open(request.piece->path));
  TRY(reader->skip(request.piece->offset));
  sent.body_from = [reader, left = request.piece->size,
                    path = request.piece->path](std::span<char> into) mutable -> Result<std::size_t> {
    TRY_ASSIGN(const std::size_t count, reader->read(into.first(std::min<std::size_t>(into.size(), left))));
    if (count == 0 && left > 0)
      return fail(step_error(cat(quoted(path), " became shorter while it was sent"),
                             "Run again: it was not put into the store"));
    left -= count;
    return count;
  };
  return {};
}

Result<HttpResponse> S3Client::send_once(const S3Request& request, const std::stop_token& stop) {
  TRY_ASSIGN(const AwsKeys keys, account_.keys(stop));
  TRY_ASSIGN(const std::string where, region());
  S3Place reached = place_;
  if (reached.service.empty()) reached.service = cat("https://s3.", where, ".amazonaws.com");
  HttpRequest sent;
  sent.method = request.method;
  sent.url = reached.url(request.key, request.query);
  sent.headers = request.headers;
  TRY(add_body(request, sent));
  const Sha256 digest = request.piece == nullptr ? sha256_of(request.body) : request.piece->digest;
  sign_aws(sent, digest.hex(), keys, {where, "s3"}, host_.clock.now_ns());
  TRY(wait_for_bandwidth(request.body_size(), stop));
  {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [&] { return busy_ < place_.requests; });
    ++busy_;
  }
  count(request);
  Result<HttpResponse> response = host_.http.send(sent, stop);
  {
    const std::lock_guard lock(mutex_);
    --busy_;
  }
  free_.notify_one();
  return response;
}

// Each request takes the time that its bytes have, after those before it.
Result<void> S3Client::wait_for_bandwidth(std::uint64_t bytes, const std::stop_token& stop) {
  if (place_.bandwidth == 0 || bytes == 0) return {};
  std::int64_t from = 0;
  const std::int64_t now = host_.clock.steady_ns();
  {
    const std::lock_guard lock(mutex_);
    from = std::max(now, next_bytes_ns_);
    next_bytes_ns_ =
        from + static_cast<std::int64_t>(static_cast<double>(bytes) * static_cast<double>(kSecond) /
                                         static_cast<double>(place_.bandwidth));
  }
  if (from > now && host_.clock.wait(milliseconds((from - now) / 1'000'000), stop))
    return fail(interrupted_error());
  return {};
}

// Each waits a little longer or shorter than others that were refused with it.
milliseconds S3Client::pause(int attempt, const HttpResponse* response) {
  const std::int64_t longest = std::min(kLongestPause, kFirstPause * (1 << std::min(attempt, 8))).count();
  std::uint64_t word = dice_.fetch_add(0x9e3779b97f4a7c15U);
  word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9U;
  const auto ours = milliseconds(
      longest / 2 + static_cast<std::int64_t>(word % static_cast<std::uint64_t>(longest / 2 + 1)));
  const auto told = response == nullptr ? std::nullopt : parse_number(header_value(*response, "retry-after"));
  return told && *told > 0
             ? std::max(ours, milliseconds(static_cast<std::int64_t>(std::min(*told, 60.0) * 1000)))
             : ours;
}

Result<HttpResponse> S3Client::send(const S3Request& request, const std::string& doing,
                                    const std::stop_token& stop, std::initializer_list<int> expected) {
  for (int attempt = 0;; ++attempt) {
    Result<HttpResponse> response = send_once(request, stop);
    const bool poor = response ? may_come_right(response->status)
                               : response.error().blame == Blame::kRemote && !response.error().lasts;
    if (response && !poor && is_expected(response->status, expected)) return response;
    if (!poor || attempt + 1 == kMostTries) return response ? fail(refusal(*response, doing)) : response;
    if (host_.clock.wait(pause(attempt, response ? &*response : nullptr), stop))
      return fail(interrupted_error());
  }
}

}  // namespace trainmake
