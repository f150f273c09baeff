// What a step left: immutable, addressed, and with an identity that those who need it hash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

struct Artifact {
  std::string role;  // tree, image, main, an output's name
  std::string
      identity;  // equal identities mean equal for whoever uses it (an image's config digest, a tree's root)
  std::string sha256;  // of its bytes, "" when it has none of its own
  std::uint64_t size = 0;
  std::string address;  // blob:SHA256, oci:DIGEST, store:NAME/PREFIX, run:ID, ...
  friend bool operator==(const Artifact&, const Artifact&) = default;
};

using Artifacts = std::vector<Artifact>;

const Artifact* find_role(const Artifacts& artifacts, std::string_view role);

std::string to_json(const Artifacts& artifacts);
std::optional<Artifacts> artifacts_from_json(std::string_view json);

}  // namespace trainmake
