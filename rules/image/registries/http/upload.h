// One blob on its way into a repository: in one piece when it is small, else in several, going on where a cut
// left it. Knows the distribution spec's upload sessions, nothing of where the bytes come from.
#pragma once

#include <optional>
#include <string>

#include "engine/base/host.h"
#include "rules/image/blob_source.h"
#include "rules/image/registries/http/remote.h"
#include "rules/image/registry.h"

namespace trainmake {

class Upload {
 public:
  Upload(Remote& remote, std::string repository, BlobSource& source);

  // `session` is one that the registry has opened already, as an address; "" asks for one.
  Result<void> carry(std::string session, const std::stop_token& stop);

 private:
  Result<void> begin(const std::stop_token& stop);
  Result<bool> carry_once(const std::stop_token& stop);
  Result<BlobPart> next_part(const std::stop_token& stop);
  Result<bool> send_piece(BlobPart part, const std::stop_token& stop);
  Result<bool> send_last(const BlobRef& blob, BlobPart part, const std::stop_token& stop);
  Result<HttpResponse> send_part(HttpRequest request, BlobPart part, const std::stop_token& stop);
  Result<void> judge(const Result<HttpResponse>& response, std::uint64_t sent, const std::stop_token& stop);
  Result<bool> ask_how_far(const std::stop_token& stop);
  Result<bool> is_there(const BlobRef& blob, const std::stop_token& stop);
  void follow(const HttpResponse& response);
  std::string doing() const;
  Error lost() const;

  Remote& remote_;
  const std::string repository_;
  BlobSource& source_;
  std::string location_;       // of the session
  std::uint64_t arrived_ = 0;  // in this session
  std::uint64_t piece_;        // what travels in one request
  std::uint64_t least_ = 0;    // what the registry wants in one, at least
  int poor_answers_ = 0;       // in a row, in which nothing arrived
  int fallen_back_ = 0;        // how often less had arrived than before
  std::string last_trouble_;
};

// How many bytes have arrived, as `Range: 0-1023` tells; empty when it does not.
std::optional<std::uint64_t> arrived_of(const HttpResponse& response);

}  // namespace trainmake
