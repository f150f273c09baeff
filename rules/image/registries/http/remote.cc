#include "rules/image/registries/http/remote.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr int kMostTries = 7;
constexpr milliseconds kFirstPause{200};
constexpr milliseconds kLongestPause{10'000};
constexpr std::size_t kShownBytes = 300;  // of an answer that is no JSON

bool may_come_right(int status) { return status == 408 || status == 429 || status >= 500; }

milliseconds pause_before(int attempt, const HttpResponse* response) {
  const milliseconds ours = std::min(kLongestPause, kFirstPause * (1 << std::min(attempt, 8)));
  const std::string* told = response == nullptr ? nullptr : header_of(*response, "retry-after");
  const std::optional<double> seconds = told == nullptr ? std::nullopt : parse_number(*told);
  if (!seconds || *seconds < 0) return ours;
  return std::min(kLongestPause * 6,
                  std::max(ours, milliseconds(static_cast<std::int64_t>(*seconds * 1000))));
}

std::string scope_text(const Scope& scope) {
  return cat("repository:", scope.repository, scope.writes ? ":pull,push" : ":pull",
             scope.also_reads.empty() ? "" : cat(" repository:", scope.also_reads, ":pull"));
}

// The errors of a registry's JSON: "DENIED: requested access to the resource is denied".
std::string told_in(const std::string& body) {
  const Json json = parse_json<Json>(body);
  std::string text;
  if (json.is_object() && json.contains("errors") && json["errors"].is_array()) {
    for (const Json& error : json["errors"]) {
      if (!error.is_object()) continue;
      const auto at = [&](const char* name) {
        return error.contains(name) && error[name].is_string() ? error[name].get<std::string>()
                                                               : std::string();
      };
      text += cat(text.empty() ? "" : "; ", at("code"), at("message").empty() ? "" : ": ", at("message"));
    }
  }
  return text.empty() ? std::string(trim(std::string_view(body).substr(0, kShownBytes))) : text;
}

std::string token_in(const std::string& body) {
  const Json json = parse_json<Json>(body);
  for (const char* name : {"token", "access_token"}) {
    if (json.is_object() && json.contains(name) && json[name].is_string())
      return json[name].get<std::string>();
  }
  return "";
}

}  // namespace

const std::string* header_of(const HttpResponse& response, std::string_view name) {
  const auto found = std::find_if(response.headers.begin(), response.headers.end(),
                                  [&](const auto& header) { return header.first == name; });
  return found == response.headers.end() ? nullptr : &found->second;
}

Remote::Remote(Host& host, RemoteAddress address, Tally& tally)
    : host_(host), address_(std::move(address)), tally_(tally) {}

bool Remote::is_ours(const std::string& url) const {
  return url.starts_with(address_.url) &&
         (url.size() == address_.url.size() || url[address_.url.size()] == '/');
}

Error Remote::refusal(const HttpResponse& response, const std::string& doing) const {
  const std::string said = told_in(response.body);
  std::string hint = "Run it again when the registry is well; what it has by then is not sent again";
  if (response.status == 401) hint = cat("`docker login ", address_.host, "` logs in there");
  if (response.status == 403)
    hint = cat("May this login do that? `docker login ", address_.host, "` changes it");
  if (response.status == 404) hint = "Check the name, and the registry's `url`";
  if (response.status == 413)
    hint = "The registry, or a proxy before it, takes no layer of that size: split `files` into several";
  return user_error(cat("Cannot ", doing, ": ", quoted(address_.host), " answers ", response.status,
                        said.empty() ? "" : cat(", ", printable(said))),
                    std::move(hint))
      .because(Blame::kRemote);
}

Result<HttpResponse> Remote::count_and_send(const HttpRequest& request, const std::stop_token& stop) {
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
  TRY_ASSIGN(std::optional<Login> found, login_for(host_, address_.host, stop));
  return *(login_ = std::move(found));
}

std::string Remote::authorization(const Scope& scope) {
  const std::lock_guard lock(mutex_);
  if (basic_ && login_ && *login_)
    return cat("Basic ", base64_of(cat((*login_)->user, ":", (*login_)->password)));
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
  HttpRequest request;
  if (who && !who->identity_token.empty()) {
    request.method = "POST";
    request.url = realm;
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body =
        cat("grant_type=refresh_token&client_id=trainmake&service=", percent_encoded(parameter("service")),
            "&scope=", percent_encoded(scope_text(scope)),
            "&refresh_token=", percent_encoded(who->identity_token));
  } else {
    request.url = cat(realm, realm.find('?') == realm.npos ? "?" : "&",
                      "service=", percent_encoded(parameter("service")));
    for (const std::string& one : split(scope_text(scope), ' '))
      request.url += cat("&scope=", percent_encoded(one));
    if (who)
      request.headers = {{"Authorization", cat("Basic ", base64_of(cat(who->user, ":", who->password)))}};
  }
  return count_and_send(request, stop);
}

// After a 401. Nothing when there is something to say at the next try; else the answer that is final.
Result<std::optional<HttpResponse>> Remote::answer_challenge(HttpResponse response, const Scope& scope,
                                                             bool had_login, const std::stop_token& stop) {
  const std::string* header = header_of(response, "www-authenticate");
  const std::optional<Challenge> challenge = header == nullptr ? std::nullopt : parse_challenge(*header);
  if (challenge && challenge->scheme == "basic") {
    TRY_ASSIGN(const std::optional<Login> who, login(stop));
    const std::lock_guard lock(mutex_);
    basic_ = who.has_value();
    return who && !had_login ? std::nullopt : std::optional(std::move(response));
  }
  if (!challenge || challenge->scheme != "bearer" || !challenge->parameters.contains("realm"))
    return std::optional(std::move(response));
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
  if (whole.url.starts_with('/')) whole.url = cat(address_.url, whole.url);
  const bool with_login = is_ours(whole.url);
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
  for (int attempt = 0;; ++attempt) {
    Result<HttpResponse> response = send_once(request, scope, stop);
    const bool none = !response && response.error().blame == Blame::kRemote;
    const bool poor = none || (response && may_come_right(response->status));
    if (!poor || again == Again::kNo || attempt + 1 == kMostTries) return response;
    if (host_.clock.wait(pause_before(attempt, response ? &*response : nullptr), stop))
      return fail(interrupted_error());
  }
}

}  // namespace trainmake
