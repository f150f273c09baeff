// What the targets that a job needs came to: which files it will find. During a plan some of it may not be
// known yet; then there is less to check, and nothing is an error for that.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/model/rule.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// Listings by the digest of their blob, each read once: the jobs of a sweep share them. Thread rule: any
// thread.
class Listings {
 public:
  explicit Listings(Blobs& blobs) : blobs_(blobs) {}
  // nullptr when it is not in the cache.
  Result<std::shared_ptr<const Listing>> get(const std::string& sha256);

 private:
  Blobs& blobs_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Listing>> read_;
};

const Dependency* image_of(const Target& job);
// The code that jobs of an image run: its own, else that of the image that it is built on.
std::vector<TargetId> code_targets(const Graph& graph, TargetId image);
std::vector<const Dependency*> data_of(const Target& job);

// What these trees of code are, or will be; nothing when one of them is not known.
std::optional<std::set<std::string>> code_foreseen(const Subject& job);

// What it is that `need` gives, as one digest; an empty optional when that is not known.
std::optional<Digest128> identity_of(const Subject& job, const Dependency& need);

// For a description, files will do that a target's own description found, before it has run and kept them.
enum class Files : std::uint8_t { kForeseen, kKept };

// As the rules of code and data leave it for those who need them; nullptr when they left none.
std::shared_ptr<const Listing> foreseen(const Subject& job, TargetId target);

// The files of a data target, or the outputs of a job under their paths. An empty optional when they are not
// known, or no longer in the cache.
Result<std::optional<GivenTree>> tree_of(Listings& listings, const Subject& job, const Dependency& need,
                                         Files which);

// A path at which two files would lie, or a file of one tree and a folder of another.
struct Clash {
  std::string path;
  const GivenTree *one, *other;
};
// One tree alone has none.
std::optional<Clash> find_clash(const std::vector<GivenTree>& trees);

// A clash is an error that names both targets. `here` is for the labels in it.
Result<void> check_paths(const std::vector<GivenTree>& trees, const std::string& here);

}  // namespace trainmake
