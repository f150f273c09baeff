#include "rules/image/registries/http/remote.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/encoding.h"
#include "engine/base/json.h"
#include "engine/base/redactor.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "rules/image/registries/http/address.h"
#include "rules/image/registries/http/addressee.h"
#include "rules/image/registries/http/authorities.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr int kMostTries = 7;
constexpr std::int64_t kLongestSilenceNs = 90'000'000'000;  // of one that takes connections and says nothing
constexpr milliseconds kFirstPause{200};
constexpr int kToldPause = 1;  // the first is too short to be told of
constexpr milliseconds kLongestPause{10'000};
constexpr std::size_t kShownBytes = 300;         // of an answer that is no JSON
constexpr std::size_t kReadBytes = 256U << 10U;  // of one that is

milliseconds pause_before(int attempt, const HttpResponse* response) {
  const milliseconds ours = std::min(kLongestPause, kFirstPause * (1 << std::min(attempt, 8)));
  const std::string* told = response == nullptr ? nullptr : header_of(*response, "retry-after");
  const std::optional<double> seconds = told == nullptr ? std::nullopt : parse_number(*told);
  if (!seconds || *seconds < 0) return ours;
  return std::min(kLongestPause * 6,
                  std::max(ours, milliseconds(static_cast<std::int64_t>(*seconds * 1000))));
}

std::string scope_text(const Scope& scope) {
  if (scope.repository.empty()) return "";
  return cat("repository:", scope.repository, scope.writes ? ":pull,push" : ":pull",
             scope.also_reads.empty() ? "" : cat(" repository:", scope.also_reads, ":pull"));
}

Json read_json(const std::string& body) {
  return body.size() > kReadBytes ? Json(Json::value_t::discarded) : parse_json<Json>(body);
}

// The errors of a registry's JSON: "DENIED: requested access to the resource is denied".
std::string told_in(const std::string& body) {
  const Json json = read_json(body);
  std::string text;
  if (json.is_object() && json.contains("errors") && json["errors"].is_array()) {
    for (const Json& error : json["errors"]) {
      if (!error.is_object()) continue;
      const std::string message = text_at(error, "message");
      text += cat(text.empty() ? "" : "; ", text_at(error, "code"), message.empty() ? "" : ": ", message);
    }
  }
  return text.empty() ? std::string(trim(std::string_view(body).substr(0, kShownBytes))) : text;
}

std::string token_in(const std::string& body) {
  const Json json = read_json(body);
  for (const char* name : {"token", "access_token"}) {
    if (std::string token = text_at(json, name); !token.empty()) return token;
  }
  return "";
}

// The first that we can answer; a registry may make several.
std::optional<Challenge> challenge_of(const HttpResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name != "www-authenticate") continue;
    std::optional<Challenge> challenge = parse_challenge(value);
    if (!challenge) continue;
    if (challenge->scheme == "basic") return challenge;
    if (challenge->scheme == "bearer" && challenge->parameters.contains("realm")) return challenge;
  }
  return std::nullopt;
}

}  // namespace

const std::string* header_of(const HttpResponse& response, std::string_view name) {
  const auto found = std::find_if(response.headers.begin(), response.headers.end(),
                                  [&](const auto& header) { return header.first == name; });
  return found == response.headers.end() ? nullptr : &found->second;
}

bool may_come_right(const Error& error) { return error.blame == Blame::kRemote && !error.lasts; }
bool may_come_right(int status) { return status == 408 || status == 429 || status >= 500; }

Remote::Remote(Host& host, RemotePlace place, Tally& tally, WaitNotice waits, std::optional<Login> given)
    : host_(host), place_(std::move(place)), tally_(tally), waits_(std::move(waits)) {
  if (place_.url.empty()) place_.url = url_of_registry(place_.host, place_.insecure);
  while (place_.url.ends_with('/')) place_.url.pop_back();
  if (given) login_ = std::move(given);
}

std::string Remote::url(std::string_view path) const { return cat(place_.url, path); }

bool Remote::has_said_who() const {
  const std::lock_guard lock(mutex_);
  return login_ && *login_ && (basic_ || !tokens_.empty());
}

// What to do about a 401 or a 403.
std::string Remote::advice(int status) const {
  const std::lock_guard lock(mutex_);
  const std::string way = cat("`trainmake login ", place_.host, "`");
  if (!login_trouble_.empty()) return cat(login_trouble_, "; ", way, " needs no helper");
  if ((!login_ || !*login_) && !login_advice_.empty()) return login_advice_;
  if (!login_ || !*login_) return cat(way, " logs in there, and so does `docker login ", place_.host, "`");
  const std::string who =
      (*login_)->user.empty() ? "The token" : cat("The login of ", quoted((*login_)->user));
  const std::string where = (*login_)->from.empty() ? "" : cat(" from ", (*login_)->from);
  return cat(who, where, status == 401 ? " was not accepted" : " may not do that", "; ", way,
             " keeps another one");
}

// Some quote what they were asked.
std::string Remote::without_logins(const std::string& text) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> secrets;
  if (login_ && *login_) {
    const Login& who = **login_;
    secrets = {who.password.reveal(), who.identity_token.reveal(),
               base64_of(cat(who.user, ":", who.password.reveal()))};
  }
  for (const auto& [scope, token] : tokens_) secrets.push_back(token);
  return Redactor(secrets).redact(text);
}

Error Remote::refusal(const HttpResponse& response, const std::string& doing) const {
  const std::string said = without_logins(told_in(response.body));
  std::string hint = "Run it again when the registry is well; what it has by then is not sent again";
  if (response.status == 401 || response.status == 403) hint = advice(response.status);
  if (response.status == 400 && place_.url.starts_with("http://"))
    hint = "If it speaks TLS, write its `url` in TRAINSPACE.lua with `https://`";
  if (response.status == 404) hint = "Check the name, and the registry's `url`";
  if (response.status == 413)
    hint = "The registry, or a proxy before it, takes no layer of that size: split `files` into several";
  return user_error(cat("Cannot ", doing, ": ", quoted(place_.host), " answers ", response.status,
                        said.empty() ? "" : cat(", ", printable(said))),
                    std::move(hint))
      .because(Blame::kRemote);
}

Result<HttpResponse> Remote::count_and_send(HttpRequest request, const std::stop_token& stop) {
  if (!request.url.starts_with("http://") && !request.url.starts_with("https://"))
    return fail(user_error(cat(quoted(name()), " names an address that is none: ", quoted(request.url)))
                    .because(Blame::kRemote)
                    .lasting());
  TRY_ASSIGN(request.authorities, authorities());
  const auto method = std::find_if(kMethods.begin(), kMethods.end(), [&](std::string_view name) {
    return std::equal(name.begin(), name.end(), request.method.begin(), request.method.end(),
                      [](char lower, char upper) { return lower == upper + ('a' - 'A'); });
  });
  CHECK(method != kMethods.end());
  ++tally_.requests[static_cast<std::size_t>(method - kMethods.begin())];
  return host_.http.send(request, stop);
}

Result<std::optional<Login>> Remote::login(const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  if (login_) return *login_;
  const Addressee addressee = addressee_of(place_, host_.environment);
  login_advice_ = addressee.advice;
  if (addressee.host.empty()) return *(login_ = std::optional<Login>());
  TRY_ASSIGN(std::optional<Login> found, login_for(host_, addressee.host, stop, &login_trouble_));
  return *(login_ = std::move(found));
}

Result<std::string> Remote::authorities() {
  const std::lock_guard lock(mutex_);
  if (authorities_) return *authorities_;
  // Of plain http nobody vouches for anything.
  if (place_.url.starts_with("http://") && place_.ca.empty()) return *(authorities_ = "");
  TRY_ASSIGN(std::string found, authorities_for(host_, place_));
  return *(authorities_ = std::move(found));
}

std::string Remote::authorization(const Scope& scope) {
  const std::lock_guard lock(mutex_);
  if (basic_ && login_ && *login_)
    return cat("Basic ", base64_of(cat((*login_)->user, ":", (*login_)->password.reveal())));
  const auto token = tokens_.find(scope_text(scope));
  return token == tokens_.end() ? std::string() : cat("Bearer ", token->second);
}

Result<HttpResponse> Remote::ask_for_token(const Challenge& challenge, const Scope& scope,
                                           const std::stop_token& stop) {
  const auto parameter = [&](const char* name) {
    const auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? std::string() : found->second;
  };
  const std::string realm = parameter("realm");
  TRY_ASSIGN(const std::optional<Login> who, login(stop));
  const bool is_read_by_others =
      !realm.starts_with("https://") && !is_on_this_machine(realm) && host_of(realm) != host_of(place_.url);
  if (who && (is_read_by_others || (place_.url.starts_with("https://") && !realm.starts_with("https://"))))
    return fail(
        user_error(cat("Registry ", quoted(name()), " wants its login sent unencrypted, to ", quoted(realm)),
                   "Its token service should be reached by https; nothing was sent")
            .because(Blame::kRemote)
            .lasting());
  HttpRequest request;
  if (who && !who->identity_token.empty()) {
    request.method = "POST";
    request.url = realm;
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body =
        cat("grant_type=refresh_token&client_id=trainmake&service=", percent_encoded(parameter("service")),
            "&scope=", percent_encoded(scope_text(scope)),
            "&refresh_token=", percent_encoded(who->identity_token.reveal()));
  } else {
    request.url = cat(realm, realm.find('?') == realm.npos ? "?" : "&",
                      "service=", percent_encoded(parameter("service")));
    if (who) request.url += cat("&account=", percent_encoded(who->user));
    for (const std::string& one : split(scope_text(scope), ' '))
      request.url += cat("&scope=", percent_encoded(one));
    if (who)
      request.headers = {
          {"Authorization", cat("Basic ", base64_of(cat(who->user, ":", who->password.reveal())))}};
  }
  return count_and_send(request, stop);
}

// After a 401. Nothing when there is something to say at the next try; else the answer that is final.
Result<std::optional<HttpResponse>> Remote::answer_challenge(HttpResponse response, const Scope& scope,
                                                             bool had_login, const std::stop_token& stop) {
  const std::optional<Challenge> challenge = challenge_of(response);
  if (challenge && challenge->scheme == "basic") {
    TRY_ASSIGN(const std::optional<Login> who, login(stop));
    const std::lock_guard lock(mutex_);
    basic_ = who.has_value();
    return who && !had_login ? std::nullopt : std::optional(std::move(response));
  }
  if (!challenge) return std::optional(std::move(response));
  TRY_ASSIGN(HttpResponse answer, ask_for_token(*challenge, scope, stop));
  if (answer.status != 200) return std::optional(std::move(answer));
  std::string token = token_in(answer.body);
  if (token.empty()) return std::optional(std::move(response));
  const std::lock_guard lock(mutex_);
  tokens_[scope_text(scope)] = std::move(token);
  return std::optional<HttpResponse>();
}

Result<HttpResponse> Remote::send_once(const HttpRequest& request, const Scope& scope,
                                       const std::stop_token& stop) {
  HttpRequest whole = request;
  const bool with_login = is_below(whole.url, place_.url);
  const std::size_t own_headers = whole.headers.size();
  for (bool answered = false;; answered = true) {
    whole.headers.resize(own_headers);
    const std::string ours = with_login ? authorization(scope) : "";
    if (!ours.empty()) whole.headers.emplace_back("Authorization", ours);
    TRY_ASSIGN(HttpResponse response, count_and_send(whole, stop));
    // A body that was given away piece by piece is not there a second time.
    if (response.status != 401 || answered || !with_login || whole.body_from) return response;
    TRY_ASSIGN(std::optional<HttpResponse> final,
               answer_challenge(std::move(response), scope, ours.starts_with("Basic "), stop));
    if (final) return *std::move(final);
  }
}

Result<HttpResponse> Remote::send(const HttpRequest& request, const Scope& scope, Again again,
                                  const std::stop_token& stop) {
  const std::int64_t begun_ns = host_.clock.steady_ns();
  for (int attempt = 0;; ++attempt) {
    Result<HttpResponse> response = send_once(request, scope, stop);
    const bool poor = response ? may_come_right(response->status) : may_come_right(response.error());
    if (response || !poor) away_ = false;
    if (!poor || again == Again::kNo || away_) return response;
    const bool silent = !response && host_.clock.steady_ns() - begun_ns > kLongestSilenceNs;
    if (attempt + 1 == kMostTries || silent) {
      away_ = !response;
      return response;
    }
    TRY(pause(attempt, response ? &*response : nullptr, stop));
  }
}

Result<void> Remote::pause(int attempt, const HttpResponse* response, const std::stop_token& stop) {
  if (waits_ && attempt == kToldPause)
    waits_(cat(quoted(name()),
               response == nullptr ? std::string(" does not answer") : cat(" answers ", response->status),
               ": asking again"));
  if (host_.clock.wait(pause_before(attempt, response), stop)) return fail(interrupted_error());
  return {};
}

}  // namespace trainmake
