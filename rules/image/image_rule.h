// What `image` means: layers and a config that reach a registry. Knows nothing of where code came from or
// what runs in it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/file_set.h"
#include "engine/model/rule.h"
#include "rules/image/base.h"
#include "rules/image/base_lock.h"
#include "rules/image/image_store.h"
#include "rules/image/layer.h"
#include "rules/image/manifest_json.h"
#include "rules/image/publish.h"

namespace trainmake {

// The corridor's rooms: the workspace's own layout, and registries that are somewhere else.
struct RegistryRooms {
  std::unique_ptr<Registry> (*layout)(Host& host, const Workspace& workspace);
  // `host` with its port; plain http when `insecure`, or on loopback. `url` replaces both.
  std::unique_ptr<Registry> (*remote)(Host& host, const std::string& registry, const std::string& url,
                                      bool insecure, Tally& tally);
};

struct ImageServices {
  Host& host;
  const Workspace& workspace;
  const Space& space;
  Blobs& blobs;
  FileSets& file_sets;
  RegistryRooms registries;
  Tally& tally;
};

const Schema& image_schema();

class ImageRule final : public Rule {
 public:
  explicit ImageRule(const ImageServices& services);

  const Schema& schema() const override { return image_schema(); }
  Pool pool() const override { return Pool::kCpu; }
  std::vector<std::pair<Error, Label>> settle(const Graph& graph, const EventSink& events) override;
  Result<Description> describe(const Subject& subject) override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;
  Result<void> restore(const Subject& subject, const Record& record) override;

 private:
  struct FileLayer;
  // Where a target's image goes.
  struct Place {
    Registry* registry = nullptr;
    std::string repository;
    std::string host;  // "" is the layout
    std::string text() const { return host.empty() ? "" : path_join(host, repository); }
  };
  Result<Place> place_of(const Target& target);
  // Of the image that it is built on; nothing for "scratch".
  static Result<std::optional<Reference>> base_of(const Target& target);
  Result<void> settle_bases(const std::map<std::string, const Target*>& bases, const EventSink& events,
                            std::vector<std::pair<Error, Label>>& errors);
  Result<BaseLock> lock(Looks* looks);
  Result<Registry*> registry_at(const std::string& host);
  Result<std::optional<Base>> base(const Target& target, const std::stop_token& stop);
  Registry* remote_of(const Service& service, const std::string& scheme, const std::string& host);
  Registry* remote(const std::string& host, const std::string& url, bool insecure);
  Result<bool> is_at_hand(const Layer& layer, const Place& place, const PushedBlobs& pushed,
                          const std::stop_token& stop);
  Result<std::vector<FileLayer>> file_layers(const Target& target, Looks& looks);
  Result<Listing> snapshot(const Artifact& tree, const Label& code);
  struct MadeLayer {
    Layer layer;
    bool is_new = false;
  };
  Result<MadeLayer> layer(const LayerSource& source, const Place& place, const PushedBlobs& pushed,
                          const Doing& doing);

  ImageServices services_;
  ImageStore store_;
  std::unique_ptr<Registry> layout_;
  Layers layers_;
  std::mutex mutex_;                                          // guards what follows
  std::map<std::string, std::unique_ptr<Registry>> remotes_;  // by address
};

}  // namespace trainmake
