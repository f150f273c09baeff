// What `image` means: layers and a config that reach a registry. Knows nothing of where code came from or
// what runs in it.
#pragma once

#include <string>
#include <string_view>
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
#include "rules/image/unpack_image.h"

namespace trainmake {

// What the identity of an image begins with of which the code alone was gathered.
inline constexpr std::string_view kCodeAlone = "code:";
// Whether that is what came of it.
bool is_of_code_alone(const Manifest& image);

class ImageRule final : public Rule {
 public:
  explicit ImageRule(const ImageServices& services);

  const Schema& schema() const override { return image_schema(); }
  Pool pool() const override { return Pool::kCpu; }
  std::vector<std::pair<Error, Label>> before_run(const Graph& graph, const EventSink& events) override;
  Result<Description> describe(const Subject& subject) override;
  bool says_where(const ManifestLine& line) const override;
  Result<void> preflight(const Subject& subject) override;
  void expect(const Subject& subject, const Description& description) override;
  Result<Done> execute(const Subject& subject, const Description& description, const Doing& doing) override;
  Result<bool> holds(const Subject& subject, const Record& record, bool current, Looks& looks) override;
  Result<void> restore(const Subject& subject, const Record& record, const EventSink& events,
                       const std::stop_token& stop) override;
  // Where it will be sent, as `host/repository`; "" is the workspace's own layout.
  Result<std::string> foresee_place(const Target& image) {
    TRY_ASSIGN(const ImagePlace place, places_.of(image));
    return place.is_layout() ? std::string() : place.text();
  }
  // How the registry that the image was sent to calls the edition for amd64, by a tag of its content, which
  // is there then.
  Result<std::string> name_pulled(const Artifacts& image, bool accelerated, const std::stop_token& stop);
  // What a job runs in on this machine: an image that was made, by its artifacts, its layers unpacked.
  // These lie in `folder`.
  Result<UnpackedImage> unpack(const Artifacts& image, bool accelerated, const std::string& folder,
                               const TrustIn& trust_in, const std::function<void()>& on_unpack,
                               const std::stop_token& stop);

 private:
  std::vector<std::pair<Error, Label>> lacking_variant(const Graph& graph) const;
  Result<bool> runs_steps(const Subject& subject);
  bool is_code_alone(const Graph& graph, TargetId image) const;
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
  bool is_run_ = false;         // and not a plan alone
  std::jthread getting_ready_;  // the owner's
};

}  // namespace trainmake
