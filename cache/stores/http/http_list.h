// What lies below a prefix: folder by folder, by WebDAV's PROPFIND or, where a server does not know that, by
// nginx's list of a folder. Thread rule: any thread.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/stores/http/http_answers.h"
#include "cache/stores/http/http_client.h"
#include "cache/stores/store.h"

namespace trainmake {

// Of ours, which a server's is not far from.
void wait_for_next_second(Clock& clock);

// A file of ours in a folder, which tells whether the server's lists show names that begin with a dot. Where
// one was left, it is as good as none.
inline constexpr std::string_view kLookName = ".trainmake-look";

class HttpList {
 public:
  HttpList(HttpClient& client, Clock& clock) : client_(client), clock_(clock) {}  // borrows both
  Result<void> walk(const std::string& prefix, const std::function<void(const StoredObject&)>& visit);
  Result<bool> is_empty(const std::string& folder);
  Result<bool> shows(const std::string& folder, std::string_view name);
  // Itself and the folders in it, the deepest first; nothing where something else lies in one of them.
  Result<std::optional<std::vector<std::string>>> folders_alone(const std::string& folder);

 private:
  struct Answer {
    std::vector<HttpListed> entries;
    HttpResponse response;
  };
  // Nothing where there is no such folder.
  Result<std::vector<HttpListed>> entries_of(const std::string& folder);
  Result<Answer> ask(const std::string& folder);
  Result<Answer> indexed(const std::string& folder);

  enum class Way : std::uint8_t { kUnknown, kPropfind, kAutoindex };

  HttpClient& client_;
  Clock& clock_;
  std::atomic<Way> way_ = Way::kUnknown;
};

}  // namespace trainmake
