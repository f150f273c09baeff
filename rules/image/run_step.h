// Runs a command in the layers below it, and makes a layer of what it changed. What a step became is
// remembered, so that it is run again only when it, or what lies below it, is another. Thread rule: any
// thread.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/base/host.h"
#include "engine/base/secrets.h"
#include "engine/container/unpacked_layers.h"
#include "engine/model/event.h"
#include "engine/model/project.h"
#include "rules/image/image_store.h"
#include "rules/image/layer.h"
#include "rules/image/publish.h"

namespace trainmake {

struct RunStep {
  std::string command;  // for /bin/sh
  bool network = false;
  std::vector<std::string> secrets;  // names
  std::string inputs;                // identity of the files that lie read-only in its working folder
  // Those, their bytes in the cache. Asked for only when it runs.
  std::function<Result<Listing>()> files;
};

// What it runs in: an image as it is so far.
struct StepRoot {
  std::string architecture;
  std::string config;  // of the base, as JSON; "" is none
  std::vector<PlacedLayer> layers;
  Compression compression = Compression::kGzip;  // of what is put on it
};

// Nothing when it changed nothing.
struct StepResult {
  std::optional<Layer> layer;
};

class RunSteps {
 public:
  using Say = std::function<void(std::string)>;

  RunSteps(Host& host, const Workspace& workspace, Blobs& blobs, const ImageStore& store);

  // What it came to before, wherever its layer lies now.
  Result<std::optional<StepResult>> remembered(const StepRoot& root, const RunStep& step) const;
  // Each line that it writes goes to `tell`, and all of them to `log_path`. `secrets` are the values of its
  // own. When it fails its last lines are told, and nothing is remembered. `afresh` unpacks the layers below
  // anew.
  Result<StepResult> run(const StepRoot& root, const RunStep& step, const Secrets& secrets, bool afresh,
                         const Say& say, const std::function<void(std::string)>& tell,
                         const std::stop_token& stop) const;
  std::string log_path(const StepRoot& root, const RunStep& step) const;
  // Where it is remembered.
  std::string memo_path(const StepRoot& root, const RunStep& step) const;

 private:
  std::string key(const StepRoot& root, const RunStep& step) const;
  bool is_first_check(const Sha256& diff_id) const;
  Result<std::vector<UnpackedLayer>> unpack(const StepRoot& root, bool afresh, const Say& say,
                                            const std::stop_token& stop) const;
  Result<StepResult> make_layer(Compression compression, const std::string& upper,
                                const std::vector<std::string>& layers, const Secrets& secrets,
                                const std::function<void(std::string)>& tell,
                                const std::stop_token& stop) const;

  Host& host_;
  std::string cache_;
  Blobs& blobs_;
  const ImageStore& store_;
  std::string shared_;        // folder of what this user's workspaces share
  mutable std::mutex mutex_;  // guards what follows
  mutable std::set<Sha256> checked_;
};

}  // namespace trainmake
