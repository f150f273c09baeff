// Requests to one server: with our login, counted, so many at once, and asked again while that may help. What
// a refusal means is told in a person's words. Knows nothing of what an object is for. Thread rule: any
// thread.
#pragma once

#include <initializer_list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/stores/http/http_place.h"
#include "cache/stores/reading.h"
#include "cache/stores/sender.h"
#include "cache/stores/store.h"
#include "engine/base/hash.h"
#include "engine/base/host.h"
#include "engine/model/event.h"

namespace trainmake {

// A file as the body of a request, read while it travels. Its end is sent once all of it has proved to be
// `content`: a server shows no body that it has not got the end of.
struct SentFile {
  std::string path;
  std::uint64_t size = 0;
  Digest128 content;
};

struct StoreRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string_view body = {};
  const SentFile* file = nullptr;       // in place of `body`
  Reading* reading = nullptr;           // takes the answer's body
  bool is_urgent = false;               // waits for no other
  const MayWrite* may_write = nullptr;  // asked at its turn
};

Error changed_while_sent(const SentFile& file);

class HttpClient {
 public:
  HttpClient(Host& host, HttpPlace place, Tally& tally);

  const HttpPlace& place() const { return place_; }
  std::shared_ptr<void> heed(const std::stop_token& stop, const Hear& hear) {
    return sender_.heed(stop, hear);
  }
  // Any answer below 300 and those of `expected`; others are errors, `doing` being "put `a/b`".
  Result<HttpResponse> send(const StoreRequest& request, const std::string& doing,
                            const std::stop_token& stop, std::initializer_list<int> expected = {});
  // What an answer that was expected, and is none hoped for after all, says.
  Error refusal(const StoreRequest& request, const HttpResponse& response, const std::string& doing) const;

 private:
  // What every request has, found with the first one: an unchanged run needs neither password nor file.
  struct Access {
    std::string authorization;  // "" without a login
    std::string from;           // where the password is
    std::string authorities;
  };
  Result<Access> read_access();
  Result<Access> access();
  Result<HttpRequest> make(const StoreRequest& request);
  Result<void> add_body(const StoreRequest& request, HttpRequest& sent);
  std::string advice(const StoreRequest& request, const HttpResponse& response) const;
  void count(const StoreRequest& request);

  Host& host_;
  HttpPlace place_;
  Tally& tally_;
  Sender sender_;
  mutable std::mutex mutex_;  // guards what follows
  std::optional<Access> access_;
};

}  // namespace trainmake
