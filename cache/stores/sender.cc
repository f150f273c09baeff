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

bool changes_something(const std::string& method) {
  return method != "GET" && method != "HEAD" && method != "PROPFIND" && method != "OPTIONS";
}

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

Result<HttpResponse> Sender::send_once(const std::function<Result<HttpRequest>()>& make,
                                       const Sending& sending, bool is_repeated,
                                       const std::stop_token& stop) {
  const auto made = [&]() -> Result<HttpRequest> {
    if (sending.may_write != nullptr && *sending.may_write) TRY((*sending.may_write)(is_repeated));
    TRY_ASSIGN(HttpRequest request, make());
    pace_.slow_down(sending.turn, request);
    // It is repeated by us alone, who are asked whether it may be; and over a connection that nobody closed.
    request.never_resent = changes_something(request.method);
    request.never_twice = request.never_resent && is_repeated;
    return request;
  };
  return pace_.keep(sending.turn, stop, [&] { return host_.http.send_in_turn(sending.turn, made, stop); });
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

std::shared_ptr<void> Sender::heed(const std::stop_token& stop, const Hear& hear) {
  auto heeded = std::make_shared<Heeded>(Heeded{stop, hear});
  const std::lock_guard lock(mutex_);
  std::erase_if(heeded_, [](const std::weak_ptr<Heeded>& one) { return one.expired(); });
  heeded_.insert(heeded_.begin(), heeded);
  return heeded;
}

std::shared_ptr<Sender::Heeded> Sender::last_heeded() {
  const std::lock_guard lock(mutex_);
  for (const std::weak_ptr<Heeded>& one : heeded_) {
    if (std::shared_ptr<Heeded> heeded = one.lock()) return heeded;
  }
  return nullptr;
}

// Once for all that wait.
void Sender::tell_of_silence(std::int64_t since_ns, const Result<HttpResponse>& last) {
  constexpr std::int64_t kLong_ns = 10 * kSecond, kTellEvery_ns = 60 * kSecond;
  const std::int64_t now_ns = host_.clock.steady_ns();
  const std::int64_t silent_ns = now_ns - since_ns;
  const std::shared_ptr<Heeded> heeded = last_heeded();
  if (silent_ns < kLong_ns || !heeded || !heeded->hear) return;
  const std::lock_guard lock(telling_);
  if (told_ns_ && now_ns - *told_ns_ < kTellEvery_ns) return;
  told_ns_ = now_ns;
  const std::string why = last ? cat("HTTP ", last->status) : last.error().message;
  heeded->hear(cat("Asked for ", human_duration(silent_ns / 1'000'000), " without an answer that helps (",
                   why, "): asking again"));
}

// Who was never reached will not be for being asked for long.
Result<HttpResponse> Sender::send(const std::function<Result<HttpRequest>()>& make, const Sending& sending,
                                  const std::stop_token& given, std::initializer_list<int> expected) {
  std::stop_token stop = given;
  if (!stop.stop_possible()) {
    if (const std::shared_ptr<Heeded> heeded = last_heeded()) stop = heeded->stop;
  }
  const std::int64_t begun_ns = host_.clock.steady_ns();
  for (int attempt = 1;; ++attempt) {
    Result<HttpResponse> response = send_once(make, sending, attempt > 1, stop);
    if (response) was_reached_ = true;
    const bool is_expected =
        response && std::find(expected.begin(), expected.end(), response->status) != expected.end();
    const bool poor = response ? !is_expected && may_come_right(response->status)
                               : response.error().blame == Blame::kRemote && !response.error().lasts;
    if (!poor || attempt >= (was_reached_ ? kMostTries : kMostTriesUnreached)) return response;
    tell_of_silence(begun_ns, response);
    if (host_.clock.wait(pause(attempt - 1, response ? &*response : nullptr), stop))
      return fail(interrupted_error());
  }
}

}  // namespace trainmake
