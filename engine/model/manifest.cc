#include "engine/model/manifest.h"

#include <algorithm>

#include "engine/base/codec.h"
#include "engine/base/error.h"

namespace trainmake {
namespace {

constexpr std::string_view kSections[] = {"attr", "code", "data", "base", "platform", "upstream"};
constexpr std::string_view kReasons[] = {"never_built", "output_missing", "input_changed",
                                         "input_added", "input_removed",  "upstream_changed",
                                         "forced",      "failed_before"};

Reason reason_of(ReasonKind kind, const ManifestLine& line) {
  const bool upstream = line.section == Section::kUpstream;
  return {upstream ? ReasonKind::kUpstreamChanged : kind, line.section, line.name};
}

}  // namespace

std::string_view name_of(Section section) { return kSections[static_cast<std::size_t>(section)]; }

std::optional<Section> parse_section(std::string_view name) {
  const auto found = std::find(std::begin(kSections), std::end(kSections), name);
  if (found == std::end(kSections)) return std::nullopt;
  return static_cast<Section>(found - std::begin(kSections));
}

std::string_view name_of(ReasonKind kind) { return kReasons[static_cast<std::size_t>(kind)]; }

void Manifest::add(Section section, std::string name, const Digest128& digest) {
  lines_.push_back({section, std::move(name), digest});
}

void Manifest::seal() {
  // The files of a tree come sorted, by the hundred thousand, and a few attributes after them.
  const auto rest = std::is_sorted_until(lines_.begin(), lines_.end());
  std::sort(rest, lines_.end());
  std::inplace_merge(lines_.begin(), rest, lines_.end());
}

Fingerprint Manifest::fingerprint() const {
  Hasher hasher;
  hasher.number(kManifestFormat).number(lines_.size());
  for (const ManifestLine& line : lines_) {
    hasher.number(static_cast<std::uint64_t>(line.section))
        .field(line.name)
        .number(line.digest.high)
        .number(line.digest.low);
  }
  return hasher.finish();
}

std::string Manifest::encode() const {
  constexpr std::size_t kLine = 1 + 8 + 16;
  std::size_t size = 16;
  for (const ManifestLine& line : lines_) size += kLine + line.name.size();
  std::string out;
  out.reserve(size);
  Encoder encoder(out);
  encoder.number(kManifestFormat);
  encoder.number(lines_.size());
  for (const ManifestLine& line : lines_) {
    encoder.byte(static_cast<std::uint8_t>(line.section));
    encoder.string(line.name);
    encoder.digest(line.digest);
  }
  return out;
}

std::optional<Manifest> Manifest::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  if (decoder.number() != kManifestFormat) return std::nullopt;
  Manifest manifest;
  manifest.lines_.resize(decoder.count(1 + 8 + 16));
  for (ManifestLine& line : manifest.lines_) {
    const std::uint8_t section = decoder.byte();
    if (section >= std::size(kSections)) return std::nullopt;
    line.section = static_cast<Section>(section);
    line.name = decoder.string();
    line.digest = decoder.digest128();
  }
  if (!decoder.at_end()) return std::nullopt;
  return manifest;
}

std::vector<Reason> differences(const Manifest& before, const Manifest& now) {
  std::vector<Reason> reasons;
  auto old_line = before.lines().begin();
  auto new_line = now.lines().begin();
  const auto key = [](const ManifestLine& line) {
    return std::pair(line.section, std::string_view(line.name));
  };
  while (old_line != before.lines().end() || new_line != now.lines().end()) {
    if (new_line == now.lines().end() ||
        (old_line != before.lines().end() && key(*old_line) < key(*new_line))) {
      reasons.push_back(reason_of(ReasonKind::kInputRemoved, *old_line++));
    } else if (old_line == before.lines().end() || key(*new_line) < key(*old_line)) {
      reasons.push_back(reason_of(ReasonKind::kInputAdded, *new_line++));
    } else {
      if (old_line->digest != new_line->digest)
        reasons.push_back(reason_of(ReasonKind::kInputChanged, *new_line));
      ++old_line, ++new_line;
    }
  }
  return reasons;
}

}  // namespace trainmake
