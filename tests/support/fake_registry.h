// A registry in memory that holds every request to the OCI distribution spec: what a client may not ask is
// kept in `wrong`, and answered with 400. Its quirks are what the spec leaves to a registry, and what real
// ones do beside it. Answers for a FakeHttp.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/host.h"

namespace trainmake {

class FakeRegistry {
 public:
  enum class Locations { kPath, kWhole, kRelative };
  struct Quirks {
    Locations locations = Locations::kPath;
    bool tells_digests = true;                         // of manifests, in Docker-Content-Digest
    bool knows_head = true;                            // else 405
    bool mounts = true;                                // else every one is refused
    bool tells_upload_state = true;                    // else 404 for a GET of an upload
    bool redirects_blobs = false;                      // to another host
    bool knows_ranges = true;                          // of reads; else all of it, whatever was asked
    int piece_status = 202;                            // some say 204
    std::uint64_t least_piece = 0;                     // OCI-Chunk-Min-Length
    std::uint64_t most_at_once = ~std::uint64_t{0};    // else 413
    std::uint64_t takes_of_piece = ~std::uint64_t{0};  // of every piece no more than that
  };
  // Of the nth request (from 1): another answer, or none at all, after as much of its body.
  struct Fault {
    int status = 0;  // 0 cuts
    double of_body = 0.5;
    std::vector<std::pair<std::string, std::string>> headers = {};
  };

  explicit FakeRegistry(std::string url) : url_(std::move(url)) {}

  Quirks quirks;
  std::function<std::optional<Fault>(const HttpRequest&)> fault;
  std::vector<std::string> wrong;
  std::map<std::string, std::map<std::string, std::string>> blobs;      // repository → digest → bytes
  std::map<std::string, std::map<std::string, std::string>> manifests;  // repository → digest → bytes
  std::map<std::string, std::map<std::string, std::string>> tags;       // repository → tag → digest

  Result<HttpResponse> answer(const HttpRequest& request);

 private:
  struct Upload {
    std::string repository;
    std::string bytes;
    int state = 0;  // in the address that is good for the next request
    std::uint64_t last_piece = 0;
  };
  struct Asked;  // a request, its address taken apart

  HttpResponse refuse(const std::string& why);
  HttpResponse serve(const Asked& asked);
  HttpResponse blob(const Asked& asked);
  HttpResponse upload(const Asked& asked);
  HttpResponse begin_upload(const Asked& asked);
  HttpResponse take_piece(const Asked& asked, Upload& upload, const std::string& id);
  HttpResponse end_upload(const Asked& asked, Upload& upload, const std::string& id);
  HttpResponse manifest(const Asked& asked);
  HttpResponse take_manifest(const Asked& asked);
  HttpResponse upload_state(int status, const Asked& asked, Upload& upload, const std::string& id);

  const std::string url_;
  std::map<std::string, Upload> uploads_;
  int last_upload_ = 0;
};

}  // namespace trainmake
