#include "rules/job/platforms/uai/uai_api.h"

#include "engine/base/redactor.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr int kTries = 4;
constexpr const char* kTrusted = "UCLOUD_TRUSTED_ENDPOINT";
constexpr std::chrono::milliseconds kFirstPause{500};
// Who was silent for so long is not asked again.
constexpr std::int64_t kLongestSilence_ns = 30'000'000'000;

}  // namespace

// A TRAINSPACE may be a stranger's, and what it names gets the account's keys with each job.
Result<void> UaiApi::check_endpoint() const {
  const std::string& endpoint = options_.endpoint;
  if (endpoint.empty() || is_of_ucloud(endpoint)) return {};
  std::string trusted = host_.environment.get(kTrusted).value_or("");
  while (trusted.ends_with('/')) trusted.pop_back();
  if (trusted == endpoint) return {};
  return fail(user_error(cat("Platform ", quoted(options_.name), " has its `endpoint` at ", quoted(endpoint),
                             ", which is none of UCloud's, and jobs are sent with the account's keys"),
                         cat("If that may have them: `export ", kTrusted, "=", endpoint, "`")));
}

Result<UCloudAccount> UaiApi::account() {
  TRY(check_endpoint());
  const std::lock_guard lock(mutex_);
  if (!account_) {
    TRY_ASSIGN(account_, find_ucloud_account(host_, options_.profile));
  }
  return *account_;
}

std::string UaiApi::address(const UCloudAccount& who) const {
  return options_.endpoint.empty() ? who.api : options_.endpoint;
}

std::string UaiApi::project(const UCloudAccount& who) const {
  return options_.project.empty() ? who.project : options_.project;
}

Result<std::string> UaiApi::place() {
  TRY_ASSIGN(const UCloudAccount who, account());
  return join(std::vector<std::string>{address(who), project(who), options_.region, options_.zone}, "\n");
}

// Without our key, which an answer may have from our request.
std::string UaiApi::hidden(const std::string& text) {
  const std::lock_guard lock(mutex_);
  return account_ ? Redactor({account_->keys.private_key.reveal()}).redact(text) : text;
}

std::jthread UaiApi::telling(const Say& say, const char* then) {
  if (!say) return {};
  return std::jthread([this, say, then](const std::stop_token& answered) {
    if (!host_.clock.wait(kSoonAnswered, answered)) say(cat("UAI-Train does not answer: ", then));
  });
}

Result<UaiAnswer> UaiApi::send(const std::string& action, UCloudParameters parameters,
                               const std::stop_token& stop) {
  const std::jthread teller = telling(tell_, "waiting");
  return send_quietly(action, std::move(parameters), stop);
}

Result<UaiAnswer> UaiApi::send_quietly(const std::string& action, UCloudParameters parameters,
                                       const std::stop_token& stop) {
  TRY_ASSIGN(const UCloudAccount who, account());
  parameters["Action"] = action;
  parameters["Region"] = options_.region;
  parameters["Zone"] = options_.zone;
  if (const std::string its = project(who); !its.empty()) parameters["ProjectId"] = its;
  TRY_ASSIGN(HttpRequest request, ucloud_call(who, address(who), std::move(parameters)));
  request.never_twice = !action.starts_with("Get");  // a look may well be repeated
  ++tally_.requests[static_cast<std::size_t>(Method::kPost)];
  auto response = host_.http.send(request, stop);
  if (!response && response.error().blame == Blame::kInterrupted) return fail(std::move(response).error());
  if (!response) return fail(std::move(response).error().because(Blame::kRemote));
  std::optional<UaiAnswer> answer = parse_uai_answer(std::move(response->body));
  if (!answer)
    return fail(user_error(cat("UCloud's API answers ", action, " with status ", response->status,
                               " and no document of its own"),
                           "Run it again when the service is well")
                    .because(Blame::kRemote));
  return *std::move(answer);
}

Error UaiApi::refusal(const UaiAnswer& answer, const std::string& action, const std::string& doing) {
  return user_error(cat("Cannot ", doing, ": UCloud answers ", action, " with [", answer.code, "]",
                        answer.message.empty() ? "" : cat(" ", printable(hidden(answer.message)))),
                    advice_on(answer.code))
      .because(Blame::kRemote);
}

Result<std::string> UaiApi::look_once(const std::string& action, const UCloudParameters& parameters,
                                      const std::string& doing, const std::stop_token& stop) {
  TRY_ASSIGN(UaiAnswer answer, send(action, parameters, stop));
  if (answer.is_refusal()) return fail(refusal(answer, action, doing));
  return std::move(answer.body);
}

Result<std::string> UaiApi::look(const std::string& action, const UCloudParameters& parameters,
                                 const std::string& doing, const Patience& waiting) {
  TRY(account());
  const std::jthread teller = telling(waiting.say ? waiting.say : tell_, "asking again");
  const std::int64_t begun_ns = host_.clock.steady_ns();
  std::chrono::milliseconds pause = kFirstPause;
  for (int tries = 1;; ++tries, pause *= 2) {
    auto answer = send_quietly(action, parameters, waiting.stop);
    if (answer && !answer->is_refusal()) return std::move(answer->body);
    const bool was_silent = !answer && host_.clock.steady_ns() - begun_ns > kLongestSilence_ns;
    const bool may_pass = answer ? answer->may_pass() : !was_silent;
    if (!may_pass || tries == kTries)
      return fail(answer ? refusal(*answer, action, doing) : std::move(answer).error());
    if (host_.clock.wait(pause, waiting.stop)) return fail(interrupted_error());
  }
}

}  // namespace trainmake
