// Where a job on UAI-Train finds its data: a folder of a bucket, or of a UFS. Data of one target is read
// where it was sent, or lies; what several gave, or another job left, is put together in a folder of ours, by
// content and once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/stores/store.h"
#include "engine/base/host.h"
#include "engine/model/event.h"
#include "rules/job/job_spec.h"
#include "rules/job/platform.h"
#include "rules/job/platforms/uai/uai_options.h"

namespace trainmake {

// Where jobs read and write, and how it is reached from here.
struct UaiPlace {
  std::unique_ptr<Store> store;
  UaiFolder folder;
};

class UaiData {
 public:
  // Borrows all.
  UaiData(Host& host, const Workspace& workspace, const Space& space, const UaiOptions& options, Blobs& blobs,
          Tally& tally)
      : host_(host), workspace_(workspace), space_(space), options_(options), blobs_(blobs), tally_(tally) {}

  // Whether a job that reads and writes at `place` is told of no folder of ours.
  bool is_read_where_it_lies(const JobSpec& spec, const UaiPlace& place) const;
  // Refused where the service would be told of a path that it does not take.
  Result<void> check_readable(const GivenTree& tree, const UaiPlace& place) const;
  // As a job is told of it that reads and writes at `place`.
  Result<std::string> url_for(const JobSpec& spec, const UaiPlace& place, const Patience& waiting);

 private:
  std::optional<UaiFolder> folder_of(const GivenTree& tree, bool is_ufs, std::string& path) const;
  std::string url_of(const GivenTree& tree, bool is_ufs) const;
  // What is to be put, under its key.
  struct Piece {
    std::string key;
    const GivenTree* tree;
    const ListedFile* file;
  };
  Result<std::string> put_together(const JobSpec& spec, const UaiPlace& place, const Patience& waiting);
  Result<void> put_all(const std::vector<Piece>& pieces, Store& store, const Patience& waiting);
  Result<void> put(const Piece& piece, Store& store, const std::stop_token& stop);

  Host& host_;
  const Workspace& workspace_;
  const Space& space_;
  const UaiOptions& options_;
  Blobs& blobs_;
  Tally& tally_;
};

}  // namespace trainmake
