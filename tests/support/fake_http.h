// Http without a network: requests are recorded, their bodies whole, and answered from a script.
// Thread rule: any thread.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/text.h"

namespace trainmake {

class FakeHttp final : public Http {
 public:
  // Answers every request, when set; else those given to `then` are handed out in turn.
  std::function<Result<HttpResponse>(const HttpRequest&)> answer;
  void then(Result<HttpResponse> response) { script_.push_back(std::move(response)); }
  void then(int status, std::string body = {}) { then(HttpResponse{status, {}, std::move(body)}); }

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token) override {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    if (request.body_from) {
      std::string& body = requests_.back().body;
      while (body.size() < request.body_size) {
        char piece[4096];
        TRY_ASSIGN(const std::size_t count, request.body_from(piece));
        CHECK(count > 0);
        body.append(piece, count);
      }
    }
    if (answer) return delivered(request, answer(requests_.back()));
    if (next_ == script_.size()) {
      return fail(
          user_error(cat("Cannot reach ", quoted(request.url), ": nobody answers")).because(Blame::kRemote));
    }
    return delivered(request, script_[next_++]);
  }

  std::jthread get_ready() override {
    ++readied;
    return {};
  }
  int readied = 0;

  void forget() {
    const std::lock_guard lock(mutex_);
    requests_.clear();
  }
  std::vector<HttpRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  static Result<HttpResponse> delivered(const HttpRequest& request, Result<HttpResponse> response) {
    if (!response || !request.body_to || (response->status != 200 && response->status != 206))
      return response;
    TRY(request.body_to(response->status, std::exchange(response->body, {})));
    return response;
  }

  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::vector<Result<HttpResponse>> script_;
  std::size_t next_ = 0;
};

}  // namespace trainmake
