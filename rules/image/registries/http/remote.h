// One registry over http: who we are there, whom we trust to be it, and what is asked again when it gives no
// good answer. Counts its requests. Thread rule: any thread.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/base/host.h"
#include "engine/model/event.h"
#include "rules/image/registries/http/challenge.h"
#include "rules/image/registries/http/login.h"
#include "rules/image/registry.h"

namespace trainmake {

enum class Again : std::uint8_t { kYes, kNo };

// What a request is for: the repositories it reads and writes.
struct Scope {
  std::string repository;  // "" is none
  bool writes = false;
  std::string also_reads = {};  // another repository, which something is mounted from
};

class Remote {
 public:
  // `given` is who we are, whatever is kept anywhere.
  Remote(Host& host, RemotePlace place, Tally& tally, WaitNotice waits = nullptr,
         std::optional<Login> given = std::nullopt);

  const std::string& name() const { return place_.host; }
  // `path` from `/v2/` as an address.
  std::string url(std::string_view path) const;
  // `request.url` is whole. Any status that is final is an answer. An error is Blame::kRemote, unless the
  // fault is ours.
  Result<HttpResponse> send(const HttpRequest& request, const Scope& scope, Again again,
                            const std::stop_token& stop);
  // Before asking again after `attempt` poor answers, the last of which is `response`, or none.
  Result<void> pause(int attempt, const HttpResponse* response, const std::stop_token& stop);
  // Whether it has asked who we are, and been told.
  bool has_said_who() const;
  // What an answer that is none of those hoped for says, as an error. `doing` is `push `team/mnist``.
  Error refusal(const HttpResponse& response, const std::string& doing) const;

 private:
  Result<HttpResponse> send_once(const HttpRequest& request, const Scope& scope, const std::stop_token& stop);
  Result<HttpResponse> count_and_send(HttpRequest request, const std::stop_token& stop);
  std::string authorization(const Scope& scope);
  Result<std::optional<HttpResponse>> answer_challenge(HttpResponse response, const Scope& scope,
                                                       bool had_login, const std::stop_token& stop);
  Result<HttpResponse> ask_for_token(const Challenge& challenge, const Scope& scope,
                                     const std::stop_token& stop);
  Result<std::optional<Login>> login(const std::stop_token& stop);
  Result<std::string> authorities();
  std::string advice(int status) const;
  std::string without_logins(const std::string& text) const;

  Host& host_;
  RemotePlace place_;
  Tally& tally_;
  const WaitNotice waits_;
  std::atomic<bool> away_ = false;  // waited for in vain; it is not waited for again until it answers
  mutable std::mutex mutex_;        // guards what follows
  std::optional<std::optional<Login>> login_;
  std::string login_trouble_;  // of a helper
  std::string login_advice_;   // where the registry's own login is not sent
  std::optional<std::string> authorities_;
  bool basic_ = false;                         // the login goes along with every request
  std::map<std::string, std::string> tokens_;  // by scope
};

const std::string* header_of(const HttpResponse& response, std::string_view name);

// Whether what failed may come right when it is tried again.
bool may_come_right(const Error& error);
bool may_come_right(int status);

}  // namespace trainmake
