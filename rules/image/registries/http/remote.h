// One registry over http: who we are there, and what is asked again when it gives no good answer. Counts its
// requests. Thread rule: any thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/base/host.h"
#include "engine/model/event.h"
#include "rules/image/registries/http/challenge.h"
#include "rules/image/registries/http/login.h"

namespace trainmake {

struct RemoteAddress {
  std::string host;  // with its port, as a login names it
  std::string url;   // `https://registry.example.com`, no slash at its end
};

enum class Again : std::uint8_t { kYes, kNo };

// What a request is for: the repositories it reads and writes.
struct Scope {
  std::string repository;
  bool writes = false;
  std::string also_reads = {};  // another repository, which something is mounted from
};

class Remote {
 public:
  Remote(Host& host, RemoteAddress address, Tally& tally);

  const RemoteAddress& address() const { return address_; }
  // `request.url` is a path from `/v2/`, or a whole address. Any status that is final is an answer. An error
  // is Blame::kRemote.
  Result<HttpResponse> send(const HttpRequest& request, const Scope& scope, Again again,
                            const std::stop_token& stop);
  // What an answer that is none of those hoped for says, as an error. `doing` is `push `team/mnist``.
  Error refusal(const HttpResponse& response, const std::string& doing) const;

 private:
  Result<HttpResponse> send_once(const HttpRequest& request, const Scope& scope, const std::stop_token& stop);
  Result<HttpResponse> count_and_send(const HttpRequest& request, const std::stop_token& stop);
  std::string authorization(const Scope& scope);
  Result<std::optional<HttpResponse>> answer_challenge(HttpResponse response, const Scope& scope,
                                                       bool had_login, const std::stop_token& stop);
  Result<HttpResponse> ask_for_token(const Challenge& challenge, const Scope& scope,
                                     const std::stop_token& stop);
  Result<std::optional<Login>> login(const std::stop_token& stop);
  bool is_ours(const std::string& url) const;

  Host& host_;
  RemoteAddress address_;
  Tally& tally_;
  std::mutex mutex_;  // guards what follows
  std::optional<std::optional<Login>> login_;
  bool basic_ = false;                         // the login goes along with every request
  std::map<std::string, std::string> tokens_;  // by scope
};

const std::string* header_of(const HttpResponse& response, std::string_view name);

}  // namespace trainmake
