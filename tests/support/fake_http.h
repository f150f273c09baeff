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
  // Each of the next answers that are taken piece by piece ends after so many bytes, without its rest.
  std::vector<std::size_t> cuts;

  void forget() {
    const std::lock_guard lock(mutex_);
    requests_.clear();
  }
  std::vector<HttpRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  Result<HttpResponse> delivered(const HttpRequest& request, Result<HttpResponse> response) {
    if (response && response->status == 200) cut_out(request, *response);
    if (!response || !request.body_to || (response->status != 200 && response->status != 206))
      return response;
    std::string body = std::exchange(response->body, {});
    const std::size_t most = cuts.empty() ? body.size() : cuts.front();
    if (!cuts.empty()) cuts.erase(cuts.begin());
    TRY(request.body_to(*response, std::string_view(body).substr(0, most)));
    if (most < body.size()) return fail(user_error("The connection was cut").because(Blame::kRemote));
    return response;
  }

  // As every server does that knows ranges.
  static void cut_out(const HttpRequest& request, HttpResponse& response) {
    for (const auto& [name, value] : request.headers) {
      if (name != "Range") continue;
      const auto from = whole_number<std::size_t>(split(value.substr(value.find('=') + 1), '-').front());
      const std::size_t size = response.body.size();
      response.status = from && *from < size ? 206 : 416;
      response.body = response.status == 206 ? response.body.substr(*from) : "";
      std::erase_if(response.headers, [](const auto& header) { return header.first == "content-length"; });
      response.headers.emplace_back("content-range", response.status == 206
                                                         ? cat("bytes ", *from, "-", size - 1, "/", size)
                                                         : cat("bytes */", size));
    }
  }

  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::vector<Result<HttpResponse>> script_;
  std::size_t next_ = 0;
};

}  // namespace trainmake
