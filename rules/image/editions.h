// The images that one target makes: one for each variant of its base and each architecture. Knows nothing of
// how they are made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model/graph.h"

namespace trainmake {

struct Edition {
  std::string variant;       // "" when the base has none
  std::string architecture;  // as OCI calls it
  std::string base;          // as it is written; "" is what `dockerfile` builds

  std::string name() const;  // `amd64`, `gpu/amd64`: what tells it from others of the target
};

// Of the artifact that is the manifest of the edition with this name.
std::string manifest_role(std::string_view edition);

// That which commands can be run for here.
const std::string& architecture_of_this_machine();

// In the order in which an index has them: whoever takes the first that fits gets the most usual.
Result<std::vector<Edition>> editions_of(const Target& image);
// Those that are made for a platform. Where `cpu_stays`, `cpu` is not unless it is the only one, or
// `push_cpu` says so; where all that runs there takes one `variant`, that one alone.
Result<std::vector<Edition>> editions_for(const Target& image, bool cpu_stays,
                                          const std::string& variant = {});

}  // namespace trainmake
