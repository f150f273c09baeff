// Requests to one bucket of UCloud's object store: signed, counted, and asked again while that may help. What
// a refusal means is told in a person's words. Thread rule: any thread.
#pragma once

#include <initializer_list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/stores/file_range.h"
#include "cache/stores/reading.h"
#include "cache/stores/sender.h"
#include "cache/stores/store.h"
#include "cache/stores/ufile/ufile_place.h"
#include "engine/base/host.h"
#include "engine/cloud/ucloud_account.h"
#include "engine/model/event.h"

namespace trainmake {

// As metadata of an object: the content that was put, as FileDigests computes it.
inline constexpr const char* kUfileContentHeader = "X-Ufile-Meta-Trainmake";

struct UfileRequest {
  std::string method = "GET";
  std::string key;    // "" is the bucket
  std::string query;  // encoded
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string_view body = {};
  const FileRange* range = nullptr;     // in place of `body`
  std::string md5 = {};                 // of either; "" is not said
  Reading* reading = nullptr;           // takes the answer's body
  bool is_urgent = false;               // waits for no other
  const MayWrite* may_write = nullptr;  // asked at its turn

  std::uint64_t body_size() const { return range == nullptr ? body.size() : range->size; }
};

// What a HEAD tells.
StoredObject ufile_object(const std::string& key, const HttpResponse& head);

class UfileClient {
 public:
  UfileClient(Host& host, UfilePlace place, Tally& tally);

  const UfilePlace& place() const { return place_; }
  std::shared_ptr<void> heed(const std::stop_token& stop, const Hear& hear) {
    return sender_.heed(stop, hear);
  }
  // Any answer below 300 and those of `expected`; others are errors, `doing` being "put `a/b`". Into a bucket
  // that is missing and may be made, it makes the bucket first.
  Result<HttpResponse> send(const UfileRequest& request, const std::string& doing,
                            const std::stop_token& stop, std::initializer_list<int> expected = {});
  // What an answer that was expected, and is none hoped for after all, says.
  Error refusal(const HttpResponse& response, const std::string& doing) const;

 private:
  Result<HttpResponse> ask(const UfileRequest& request, const std::stop_token& stop);
  Result<HttpRequest> make(const UfileRequest& request);
  Result<UCloudAccount> account();
  Result<void> make_bucket(const std::stop_token& stop);
  void count(const std::string& method);
  std::string hidden(const std::string& text) const;

  Host& host_;
  UfilePlace place_;
  Tally& tally_;
  Sender sender_;
  mutable std::mutex mutex_;  // guards what follows
  std::optional<UCloudAccount> account_;
  std::mutex making_;  // guards what follows
  bool made_ = false;
};

}  // namespace trainmake
