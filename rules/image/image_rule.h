// What `image` means: layers and a config that reach a registry. Knows nothing of where code came from or
// what runs in it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/file_set.h"
#include "engine/model/rule.h"
#include "rules/image/layer.h"
#include "rules/image/manifest_json.h"

namespace trainmake {

const Schema& image_schema();

class ImageRule final : public Rule {
 public:
  ImageRule(Host& host, const Workspace& workspace, Blobs& blobs, FileSets& file_sets,
            std::unique_ptr<Registry> registry);

  const Schema& schema() const override { return image_schema(); }
  Pool pool() const override { return Pool::kCpu; }
  Result<Description> describe(const Subject& subject) override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;
  Result<void> restore(const Subject& subject, const Record& record) override;

 private:
  struct FileLayer;
  Result<std::vector<FileLayer>> file_layers(const Target& target, Looks& looks);
  Result<Listing> snapshot(const Artifact& tree, const Label& code);
  struct MadeLayer {
    Layer layer;
    bool is_new = false;
  };
  Result<MadeLayer> layer(const LayerSource& source, const Doing& doing);

  Blobs& blobs_;
  FileSets& file_sets_;
  std::unique_ptr<Registry> registry_;
  Layers layers_;
};

}  // namespace trainmake
