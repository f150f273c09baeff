// Public files that a data target names by address and digest: `fetch = { url = ..., sha256 = ... }`. Each is
// got once, verified, and kept as a blob. Thread rule: any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/base/host.h"
#include "engine/base/lock_table.h"
#include "engine/model/project.h"
#include "engine/model/rule.h"
#include "rules/data/arriving.h"

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
      : host_(host),
        workspace_(workspace),
        blobs_(blobs),
        arriving_(path_join(workspace.cache, kArrivingLocks)) {}

  // As a file of a listing, under its name; nothing when it was not got yet.
  Result<std::optional<ListedFile>> known(const FetchedFile& file);
  // Requests go through `through`.
  Result<ListedFile> get(const FetchedFile& file, const Label& label, const Doing& doing, Host& through);

  struct Fetched {
    Sha256 sha256;
    bool is_guess = false;  // joined of parts that nothing but the digest tells to be of one file
  };

 private:
  std::string facts_path(const Sha256& digest) const;
  Result<std::optional<ListedFile>> read_blob(const FetchedFile& file, const std::stop_token& stop);
  // Until what came has its digest.
  Result<void> download_all(const FetchedFile& file, Arriving& part, const Label& label, const Doing& doing,
                            Host& through);
  Result<Fetched> download(const FetchedFile& file, Arriving& to, const Label& label, const Doing& doing,
                           Host& through);

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
  LockTable arriving_;  // each file is fetched once, and the others find it
};

}  // namespace trainmake
