// Proofs that a request has nothing to do: what was looked at when it was last found so, folder by folder,
// what changed last first, flat enough to be compared with the world by two threads and nothing else (no Lua,
// no graph, no records). A proof that does not hold says nothing; the long way is taken then. Format in
// cache/README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/host.h"
#include "engine/model/label.h"
#include "engine/model/looks.h"

namespace trainmake {

struct Proof {
  std::uint64_t generation = 0;  // of the state it was concluded from
  Looks looks;
  std::vector<Label> up_to_date;  // what the request came to, sorted
};

struct ProofHolds {
  std::vector<Label> up_to_date;
  std::uint64_t looked_at = 0;  // files
};

// `request` names what was asked for, with everything that changes the answer (labels, platform, program
// version). Saves nothing when a look is racy, and says so with false.
Result<bool> save_proof(Host& host, const std::string& cache_folder, const std::string& request,
                        const Proof& proof, std::int64_t looked_at_ns);
// An empty optional when there is none, when it is damaged, or when anything differs.
std::optional<ProofHolds> check_proof(Host& host, const std::string& root, const std::string& cache_folder,
                                      const std::string& request, std::uint64_t generation);

}  // namespace trainmake
