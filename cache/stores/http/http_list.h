// What lies below a prefix: folder by folder, by WebDAV's PROPFIND or, where a server does not know that, by
// nginx's list of a folder. Thread rule: any thread.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cache/stores/http/http_answers.h"
#include "cache/stores/http/http_client.h"
#include "cache/stores/store.h"

namespace trainmake {

class HttpList {
 public:
  explicit HttpList(HttpClient& client) : client_(client) {}  // borrows it
  Result<void> walk(const std::string& prefix, const std::function<void(const StoredObject&)>& visit);
  Result<bool> is_empty(const std::string& folder);

 private:
  // Nothing where there is no such folder.
  Result<std::vector<HttpListed>> entries_of(const std::string& folder);
  Result<std::vector<HttpListed>> indexed(const std::string& folder);

  enum class Way : std::uint8_t { kUnknown, kPropfind, kAutoindex };

  HttpClient& client_;
  std::atomic<Way> way_ = Way::kUnknown;
};

}  // namespace trainmake
