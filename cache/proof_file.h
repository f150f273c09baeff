// A proof as bytes: what was looked at, grouped by folder, so that the check is one open folder and a look at
// each name in it. Knows no file system. Format in cache/README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/proof.h"
#include "engine/base/file_system.h"

namespace trainmake {

// Views into the bytes they were parsed from.
struct ProofView {
  std::string_view version;  // of the program
  std::string_view request;
  std::uint64_t generation = 0;
  std::uint64_t looked_at = 0;
  std::vector<std::string_view> up_to_date;
  std::vector<std::pair<std::string_view, std::optional<Digest128>>> variables;
  std::vector<std::string_view> groups;
};

struct ProofGroup {
  std::string_view folder;  // from the root, or absolute
  Links links = Links::kKeep;
  std::vector<std::string_view> names;  // one empty name is the folder itself
  std::vector<Stat> stats;
};

std::string encode_proof(const Proof& proof, std::string_view version, std::string_view request);
// Empty optionals for whatever encode did not write.
std::optional<ProofView> parse_proof(std::string_view bytes);
std::optional<ProofView> parse_proof_body(std::string_view body);  // without magic and digest
std::optional<ProofGroup> parse_proof_group(std::string_view bytes);

}  // namespace trainmake
