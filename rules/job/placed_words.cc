#include "rules/job/placed_words.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/job/published_base.h"

namespace trainmake {
namespace {

bool is_in_image(const PlatformTraits& platform) { return platform.runs_images || platform.pulls_images; }

// Nothing but what UCloud publishes, or nothing at all.
bool has_known_bases(const Target& image) {
  const Value* base = image.find("base");
  const auto is_known = [](const Value& reference) {
    const std::string* text = reference.string();
    return text != nullptr && (*text == "scratch" || parse_published_base(*text));
  };
  if (base == nullptr) return false;
  if (base->table() == nullptr) return is_known(*base);
  const Fields& variants = base->table()->fields;
  return std::all_of(variants.begin(), variants.end(),
                     [&](const auto& variant) { return is_known(variant.second); });
}

}  // namespace

std::optional<PlacedPath> placed_word(const PlatformTraits& platform, const Value& word) {
  const auto at = [](Place place, std::string_view rest) -> std::optional<PlacedPath> {
    const std::optional<std::string> path = path_clean(rest);
    if (!path || path->empty()) return std::nullopt;
    return PlacedPath{place, *path};
  };
  const PlacedPath* placed = word.placed();
  const bool is_of_code = placed == nullptr ? word.string() != nullptr : placed->place == Place::kCode;
  if (!is_of_code) {
    // One that climbs out of the data is in none of it.
    const bool is_of_data = placed != nullptr && placed->place == Place::kData && !placed->rest.empty();
    return is_of_data ? std::optional(*placed) : std::nullopt;
  }
  const std::string& typed = placed == nullptr ? *word.string() : placed->rest;
  const bool is_absolute = typed.starts_with('/');
  if (!platform.contract.places) return is_absolute ? std::nullopt : at(Place::kCode, typed);
  // What is no container has its own files at such a path.
  if (is_absolute && !is_in_image(platform)) return std::nullopt;
  const Contract::Places& places = *platform.contract.places;
  const std::optional<std::string> path = path_clean(path_join(places.code, typed));
  if (!path) return std::nullopt;
  for (const std::string& folder : {places.output, places.checkpoint, places.log}) {
    if (path_below(*path, folder)) return std::nullopt;
  }
  if (const auto below = path_below(*path, places.data)) return at(Place::kData, *below);
  if (const auto below = path_below(*path, places.code)) return at(Place::kCode, *below);
  return std::nullopt;
}

bool may_have_more_code(const Subject& job, const PlatformTraits& platform, std::string_view path) {
  if (!is_in_image(platform)) return false;
  const Target& image = job.graph[image_of(job.target())->target];
  for (const char* attribute : {"files", "inputs", "dockerfile", "workdir"}) {
    if (image.find(attribute) != nullptr) return true;
  }
  const std::vector<std::string> run = image.strings("run");
  const auto& places = platform.contract.places;
  return !has_known_bases(image) || std::any_of(run.begin(), run.end(), [&](const std::string& line) {
    return (places && line.find(places->code) != line.npos) || line.find(path_name(path)) != line.npos;
  });
}

bool has_link_to(const Listing& code, std::string_view path) {
  return std::any_of(code.begin(), code.end(), [&](const ListedFile& file) {
    return !file.link_target.empty() && path_below(path, file.key);
  });
}

}  // namespace trainmake
