// How the jobs of a sweep did, the best on top. Which number tells, and whether more of it is better, is said
// with `--sort`, or told by the metric's name. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/record.h"

namespace trainmake {

struct Ranking {
  std::string metric;
  bool least_is_best = false;

  friend bool operator==(const Ranking&, const Ranking&) = default;
};

// "loss", "steps:min", "loss:max" or, as `runs` sorts, "-loss".
Result<Ranking> parse_ranking(const std::string& text);
// By what runs are ranked when nobody says: the first metric, by name, that any of them has. Nothing when
// none has any.
std::optional<Ranking> usual_ranking(const std::vector<Run>& runs);

// Those without the number come last. `shown` is how a label reads here; of many rows the best `most` alone.
std::string sweep_text(std::vector<Run> runs, const Ranking& ranking,
                       const std::function<std::string(const Label&)>& shown, std::size_t most);

}  // namespace trainmake
