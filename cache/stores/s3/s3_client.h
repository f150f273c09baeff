// Requests to one bucket: signed, counted, and asked again while that may help. What a refusal means is told
// in a person's words. Thread rule: any thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/stores/s3/s3_place.h"
#include "engine/base/host.h"
#include "engine/cloud/aws_account.h"
#include "engine/model/event.h"

namespace trainmake {

struct S3Request {
  std::string method = "GET";
  std::string key;    // "" is the bucket
  std::string query;  // encoded
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string_view body = {};
};

class S3Client {
 public:
  S3Client(Host& host, S3Place place, Tally& tally);

  const S3Place& place() const { return place_; }
  // Any answer below 300 and those of `expected`; others are errors, `doing` being "put `a/b`".
  Result<HttpResponse> send(const S3Request& request, const std::string& doing, const std::stop_token& stop,
                            std::initializer_list<int> expected = {});
  // What an answer that was expected, and is none hoped for after all, says.
  Error refusal(const HttpResponse& response, const std::string& doing) const;

 private:
  Result<HttpResponse> send_once(const S3Request& request, const std::stop_token& stop);
  Result<std::string> region();
  void count(const S3Request& request);
  std::chrono::milliseconds pause(int attempt, const HttpResponse* response);

  Host& host_;
  S3Place place_;
  Tally& tally_;
  AwsAccount account_;
  std::atomic<std::uint64_t> dice_;
};

// Of an answer; "" when it has none.
std::string header_value(const HttpResponse& response, std::string_view name);

}  // namespace trainmake
