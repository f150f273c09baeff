// Requests to one bucket: signed, counted, and asked again while that may help. What a refusal means is told
// in a person's words. Thread rule: any thread.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/stores/file_range.h"
#include "cache/stores/reading.h"
#include "cache/stores/s3/s3_place.h"
#include "cache/stores/sender.h"
#include "cache/stores/store.h"
#include "engine/base/hash.h"
#include "engine/base/host.h"
#include "engine/cloud/aws_account.h"
#include "engine/model/event.h"

namespace trainmake {

// A piece of a file as the body of a request: read while it travels, and digested before, so that what
// arrives is what was looked at.
struct FilePiece {
  FileRange range;
  Sha256 digest;
};

struct S3Request {
  std::string method = "GET";
  std::string key;    // "" is the bucket
  std::string query;  // encoded
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string_view body = {};
  const FilePiece* piece = nullptr;     // in place of `body`
  Reading* reading = nullptr;           // takes the answer's body
  bool is_urgent = false;               // waits for no other
  const MayWrite* may_write = nullptr;  // asked at its turn

  std::uint64_t body_size() const { return piece == nullptr ? body.size() : piece->range.size; }
};

class S3Client {
 public:
  S3Client(Host& host, S3Place place, Tally& tally);

  const S3Place& place() const { return place_; }
  std::shared_ptr<void> heed(const std::stop_token& stop, const Hear& hear) {
    return sender_.heed(stop, hear);
  }
  // Any answer below 300 and those of `expected`; others are errors, `doing` being "put `a/b`".
  Result<HttpResponse> send(const S3Request& request, const std::string& doing, const std::stop_token& stop,
                            std::initializer_list<int> expected = {});
  // Of the bucket: as TRAINSPACE.lua says, else as the account's own tools would take it.
  Result<std::string> region();
  // What an answer that was expected, and is none hoped for after all, says.
  Error refusal(const HttpResponse& response, const std::string& doing) const;

 private:
  Result<HttpRequest> make(const S3Request& request, const std::stop_token& stop);
  void count(const S3Request& request);

  Host& host_;
  S3Place place_;
  Tally& tally_;
  AwsAccount account_;
  Sender sender_;
};

}  // namespace trainmake
