// The `run` steps of an image target: each on what the one before made of the base, and run only when it is
// not remembered. Knows nothing of what lies above them.
#pragma once

#include <vector>

#include "engine/model/rule.h"
#include "rules/image/base.h"
#include "rules/image/delivery.h"
#include "rules/image/ingredients.h"
#include "rules/image/making.h"
#include "rules/image/run_step.h"

namespace trainmake {

// What can be told of the steps before anything is known of the base: a user error.
Result<void> check_steps(const Target& image, const std::vector<Edition>& editions);

class ImageSteps {
 public:
  ImageSteps(const ImageServices& services, const ImageStore& store, Making& making)
      : services_(services),
        store_(store),
        making_(making),
        steps_(services.host, services.workspace, services.blobs, store) {}

  // Adds to `work` what they would cost, as far as what they are run in is known.
  Result<void> count(const Target& image, const Edition& edition, const std::optional<Base>& below,
                     const FileTree& inputs, const ImagePlace& place, const PushedBlobs& pushed, Work& work);
  // Whether each is remembered as it would be run on that base.
  Result<bool> are_remembered(const Target& image, const Edition& edition, const Base& below,
                              const FileTree& inputs, const ImagePlace& place);
  // Puts their layers on `root`.
  Result<void> run(const Target& image, const FileTree& inputs, StepRoot& root, const Doing& doing,
                   const Delivery& delivery);

 private:
  Result<std::optional<StepResult>> at_hand(const StepRoot& root, const RunStep& step,
                                            const Delivery& delivery) const;
  Result<StepResult> have(const Target& image, const RunStep& step, const StepRoot& root, const Doing& doing,
                          const Delivery& delivery);
  Result<StepResult> run_one(const Target& image, const RunStep& step, const StepRoot& root,
                             const Doing& doing);

  ImageServices services_;
  const ImageStore& store_;
  Making& making_;
  RunSteps steps_;
};

}  // namespace trainmake
