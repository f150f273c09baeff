#include "cache/stores/sender.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <limits>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr int kMostTries = 8;
constexpr int kMostTriesUnreached = 4;
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};
constexpr std::int64_t kSecond = 1'000'000'000;

constexpr int kNotImplemented = 501;

bool may_come_right(int status) {
  return status == 408 || status == 429 || (status >= 500 && status != kNotImplemented);
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
  const std::int64_t seconds = ::timegm(&utc);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / kSecond;
  return std::abs(seconds) <= kMost ? std::optional(seconds * kSecond) : std::nullopt;
}

std::optional<std::int64_t> age_of(const HttpResponse& response) {
  const std::optional<std::int64_t> now = http_time_ns(header_value(response, "date"));
  const std::optional<std::int64_t> then = http_time_ns(header_value(response, "last-modified"));
  return now && then ? std::optional((*now - *then) / kSecond) : std::nullopt;
}

std::string without_quotes(std::string_view tag) {
  if (tag.starts_with("W/")) tag.remove_prefix(2);
  if (tag.size() > 1 && tag.front() == '"' && tag.back() == '"') tag = tag.substr(1, tag.size() - 2);
  return std::string(tag);
}

Sender::Sender(Host& host, SendLimits limits)
    : host_(host), pace_(host.clock, limits), dice_(static_cast<std::uint64_t>(host.clock.steady_ns())) {}

Result<HttpResponse> Sender::send_once(const std::function<Result<HttpRequest>()>& make, std::uint64_t bytes,
                                       const std::stop_token& stop) {
  // When it is its turn: a signature is of a time.
  return pace_.keep(bytes, stop, [&]() -> Result<HttpResponse> {
    TRY_ASSIGN(const HttpRequest request, make());
    return host_.http.send(request, stop);
  });
}

// Each waits a little longer or shorter than others that were refused with it.
milliseconds Sender::pause(int attempt, const HttpResponse* response) {
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

void Sender::heed(const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  heeded_ = stop;
}

// Who was never reached will not be for being asked for long.
Result<HttpResponse> Sender::send(const std::function<Result<HttpRequest>()>& make, std::uint64_t bytes,
                                  const std::stop_token& given, std::initializer_list<int> expected) {
  std::stop_token stop = given;
  if (!stop.stop_possible()) {
    const std::lock_guard lock(mutex_);
    stop = heeded_;
  }
  for (int attempt = 1;; ++attempt) {
    Result<HttpResponse> response = send_once(make, bytes, stop);
    if (response) was_reached_ = true;
    const bool is_expected =
        response && std::find(expected.begin(), expected.end(), response->status) != expected.end();
    const bool poor = response ? !is_expected && may_come_right(response->status)
                               : response.error().blame == Blame::kRemote && !response.error().lasts;
    if (!poor || attempt >= (was_reached_ ? kMostTries : kMostTriesUnreached)) return response;
    if (host_.clock.wait(pause(attempt - 1, response ? &*response : nullptr), stop))
      return fail(interrupted_error());
  }
}

}  // namespace trainmake
