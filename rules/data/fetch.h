// Public files that a data target names by address and digest: `fetch = { url = ..., sha256 = ... }`. Each is
// got once, verified, and kept as a blob. Thread rule: any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "engine/model/rule.h"

namespace trainmake {

struct FetchedFile {
  std::string url;
  Sha256 sha256;
  std::string name;  // its key, without `dest`
  Location where;
};

std::vector<Error> wrong_fetch(const Value& fetch);
// REQUIRES: nothing is wrong with it.
std::vector<FetchedFile> fetches_of(const Target& target);

class Fetcher {
 public:
  Fetcher(Host& host, const Workspace& workspace, Blobs& blobs)
      : host_(host), workspace_(workspace), blobs_(blobs) {}

  // As a file of a listing, under its name; nothing when it was not got yet.
  Result<std::optional<ListedFile>> known(const FetchedFile& file);
  Result<ListedFile> get(const FetchedFile& file, const Label& label, const Doing& doing);

 private:
  std::string facts_path(const Sha256& digest) const;
  Result<Sha256> download(const FetchedFile& file, const std::string& to, const Label& label,
                          const Doing& doing);
  Result<HttpResponse> follow(std::string url, const std::string& to, Sha256Hasher& digest,
                              const Label& label, const Doing& doing);

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
};

}  // namespace trainmake
