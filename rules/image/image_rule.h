// What `image` means: layers and a config that reach a registry. Knows nothing of where code came from or
// what runs in it.
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "engine/model/rule.h"
#include "rules/image/bases.h"
#include "rules/image/built_base.h"
#include "rules/image/delivery.h"
#include "rules/image/editions.h"
#include "rules/image/image_schema.h"
#include "rules/image/image_steps.h"
#include "rules/image/image_store.h"
#include "rules/image/ingredients.h"
#include "rules/image/layer.h"
#include "rules/image/making.h"
#include "rules/image/places.h"
#include "rules/image/services.h"

namespace trainmake {

class ImageRule final : public Rule {
 public:
  explicit ImageRule(const ImageServices& services);

  const Schema& schema() const override { return image_schema(); }
  Pool pool() const override { return Pool::kCpu; }
  std::vector<std::pair<Error, Label>> settle(const Graph& graph, const EventSink& events) override;
  Result<Description> describe(const Subject& subject) override;
  void expect(const Subject& subject, const Description& description) override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;
  Result<void> restore(const Subject& subject, const Record& record, const EventSink& events,
                       const std::stop_token& stop) override;

 private:
  Result<void> count(const LayerSource& source, const ImagePlace& place, const PushedBlobs& pushed,
                     Work& work);
  Result<bool> may_lack(const ImagePlace& place, const Target& target, const Delivery& delivery);
  Result<Layer> build(LayerSource source, const Target& target, Delivery& delivery);
  Result<std::optional<Layer>> at_hand(const LayerSource& source, const Delivery& delivery);
  Result<Layer> layer(const LayerSource& source, const Target& target, bool afresh, Delivery& delivery);
  Result<std::vector<Layer>> own_layers(const Subject& subject, const Ingredients& ingredients, bool afresh,
                                        Delivery& delivery);
  Result<MadeImage> make(const Subject& subject, const Edition& edition, const std::vector<Layer>& own,
                         const Ingredients& ingredients, const Doing& doing, Delivery& delivery);
  Result<void> count_carried(const Base& below, const ImagePlace& place, const PushedBlobs& pushed,
                             Work& work);
  Result<void> send_again(const Subject& subject, const Record& record, const ImagePlace& place,
                          const std::stop_token& stop);
  Result<Document> document(const Artifact& artifact, const ImagePlace& place, const std::stop_token& stop);

  ImageServices services_;
  ImageStore store_;
  Places places_;
  Bases bases_;
  Layers layers_;
  Making making_;
  BuiltBases built_bases_;
  ImageSteps steps_;
  std::jthread getting_ready_;  // the owner's
};

}  // namespace trainmake
