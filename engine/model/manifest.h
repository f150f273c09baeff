// Everything a target's result depends on, as named lines. One walk over a target fills it; the fingerprint,
// the record and `why` are all read from it, so that an explanation can never disagree with the hash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/hash.h"

namespace trainmake {

enum class Section : std::uint8_t { kAttr, kCode, kData, kBase, kPlatform, kUpstream };
std::string_view name_of(Section section);
std::optional<Section> parse_section(std::string_view name);

struct ManifestLine {
  Section section = Section::kAttr;
  std::string name;
  Digest128 digest;
  friend bool operator==(const ManifestLine&, const ManifestLine&) = default;
  friend auto operator<=>(const ManifestLine&, const ManifestLine&) = default;
};

using Fingerprint = Digest128;

// The version of how manifests are written and hashed. Raising it makes every target run again: do so
// whenever what a line means changes.
inline constexpr int kManifestFormat = 1;

class Manifest {
 public:
  void add(Section section, std::string name, const Digest128& digest);
  void add(Section section, std::string name, std::string_view content) {
    add(section, std::move(name), digest_of(content));
  }
  void reserve(std::size_t lines) { lines_.reserve(lines); }
  void seal();  // sorts; call once, when all is added
  const std::vector<ManifestLine>& lines() const { return lines_; }
  Fingerprint fingerprint() const;  // REQUIRES: sealed

  std::string encode() const;
  static std::optional<Manifest> decode(std::string_view bytes);

 private:
  std::vector<ManifestLine> lines_;
};

enum class ReasonKind : std::uint8_t {
  kNeverBuilt,
  kOutputMissing,
  kInputChanged,
  kInputAdded,
  kInputRemoved,
  kUpstreamChanged,
  kForced,
  kFailedBefore
};
std::string_view name_of(ReasonKind kind);  // never_built, ...

struct Reason {
  ReasonKind kind = ReasonKind::kNeverBuilt;
  std::optional<Section> section;
  std::string name;
  friend bool operator==(const Reason&, const Reason&) = default;
};

// Why `now` is not `before`, line by line; empty when they are equal.
std::vector<Reason> differences(const Manifest& before, const Manifest& now);

}  // namespace trainmake
