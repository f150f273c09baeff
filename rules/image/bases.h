// What images are built on: another image of this workspace, or one of a registry, whose tag is pinned in
// TRAINFILE.lock. A plan reads what is pinned; a run asks for what is not. Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/rule.h"
#include "rules/image/base.h"
#include "rules/image/base_lock.h"
#include "rules/image/editions.h"
#include "rules/image/image_store.h"
#include "rules/image/places.h"
#include "rules/image/reference.h"

namespace trainmake {

// What a run or `update` found of a base.
struct PinnedBase {
  std::string base;
  std::string architecture;
  std::optional<Sha256> before;
  Sha256 now;
};

class Bases {
 public:
  using Errors = std::vector<std::pair<Error, Label>>;
  enum class Ask : std::uint8_t { kUnpinned, kAll };

  Bases(const ImageServices& services, Places& places, const ImageStore& store)
      : services_(services), places_(places), store_(store) {}

  // Asks what the bases of the graph's images stand for, and pins it. What was found is `pinned`, sorted.
  Errors pin(const Graph& graph, Ask ask, const EventSink& events, std::vector<PinnedBase>& pinned);
  // Whether there is one that pin would ask about.
  Result<bool> lacks_any(const Graph& graph);
  // Takes what no image of the graph is built on out of the lock, and names it.
  Result<std::vector<std::string>> unpin_others(const Graph& graph);

  // What an edition is built on, as far as it matters: nothing while that is not known.
  Result<std::optional<std::string>> identity(const Subject& image, const Edition& edition, Looks& looks);
  // The same as `of`, but nothing when somebody would have to be asked.
  Result<std::optional<Base>> kept(const Subject& image, const Edition& edition);
  // Nothing for "scratch".
  Result<std::optional<Base>> of(const Subject& image, const Edition& edition, const std::stop_token& stop);

 private:
  struct Wanted {
    Reference reference;
    std::string architecture;
    const Target* target;
  };
  Result<std::vector<Wanted>> wanted(const Graph& graph, bool cpu_stays);
  Result<Sha256> resolve(const BaseSource& source, const Wanted& want);
  Result<Base> of_image(const Subject& image, const Dependency& need, const Edition& edition,
                        const std::stop_token& stop);
  Result<BaseSource> source_of(const Reference& reference);
  Result<BaseLock> read_lock(Looks* looks);

  ImageServices services_;
  Places& places_;
  const ImageStore& store_;
  std::mutex mutex_;              // guards what follows
  std::optional<BaseLock> read_;  // the lock file, as it was when it had this stat
  Stat read_stat_;
};

// The image target that an edition is built on, if it is one.
const Dependency* base_need(const Target& image, const Edition& edition);

}  // namespace trainmake
