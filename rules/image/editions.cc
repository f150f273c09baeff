#include "rules/image/editions.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

Result<std::vector<std::string>> chosen_variants(const Target& image, const Table& bases) {
  std::vector<std::string> all;
  for (const auto& [name, base] : bases.fields) all.push_back(name);
  std::vector<std::string> chosen = image.strings("variants");
  if (chosen.empty()) return all;
  for (const std::string& name : chosen) {
    if (std::find(all.begin(), all.end(), name) != all.end()) continue;
    const std::string meant = did_you_mean(name, all);
    return fail(user_error(cat("There is no variant ", quoted(name), " in `base`"),
                           meant.empty() ? cat("It has ", join(all, ", ")) : meant)
                    .at(image.place_of("variants")));
  }
  return chosen;
}

// A variant has tags of its own, `<tag>-<variant>`.
Result<void> check_tags(const Target& image, const std::vector<std::string>& variants) {
  const std::vector<std::string> tags = image.strings("tags");
  for (const std::string& variant : variants) {
    for (const std::string& tag : tags) {
      const std::string of_variant = cat(tag, "-", variant);
      if (std::find(tags.begin(), tags.end(), of_variant) == tags.end()) continue;
      return fail(user_error(cat("Tag ", quoted(of_variant), " is also what variant ", quoted(variant),
                                 " is called under ", quoted(tag)),
                             "Choose another tag")
                      .at(image.place_of("tags")));
    }
  }
  return {};
}

}  // namespace

const std::string& architecture_of_this_machine() {
  static const std::string name =
#if defined(__aarch64__)
      "arm64";
#else
      "amd64";
#endif
  return name;
}

std::string manifest_role(std::string_view edition) { return cat("manifest:", edition); }

std::string Edition::name() const { return path_join(variant, architecture); }

Result<std::vector<Edition>> editions_of(const Target& image) {
  const Value* base = image.find("base");
  const Value* dockerfile = image.find("dockerfile");
  if (base == nullptr && dockerfile == nullptr)
    return fail(user_error(cat(quoted(image.label.name), " does not say what it is built on"),
                           "Give it a `base`: a reference, another image, or \"scratch\"")
                    .at(image.where));
  if (base != nullptr && dockerfile != nullptr)
    return fail(user_error(cat(quoted(image.label.name), " has both a `base` and a `dockerfile`"),
                           "Leave one of them out: what the Dockerfile builds is the base")
                    .at(image.place_of("dockerfile")));
  std::vector<std::string> architectures = image.strings("architecture");
  if (architectures.empty()) architectures.push_back(architecture_of_this_machine());
  std::vector<Edition> editions;
  const auto add = [&](const std::string& variant, const std::string& built_on) {
    for (const std::string& architecture : architectures)
      editions.push_back({variant, architecture, built_on});
  };
  if (base == nullptr || base->string() != nullptr) {
    if (image.find("variants") != nullptr)
      return fail(user_error("`variants` are chosen from a `base` that is a table",
                             "Write it as `base = { cpu = \"...\", gpu = \"...\" }`")
                      .at(image.place_of("variants")));
    add("", base == nullptr ? "" : *base->string());
    return editions;
  }
  TRY_ASSIGN(const std::vector<std::string> variants, chosen_variants(image, *base->table()));
  TRY(check_tags(image, variants));
  for (const std::string& variant : variants) add(variant, *base->table()->find(variant)->string());
  return editions;
}

Result<std::vector<Edition>> editions_for(const Target& image, bool cpu_stays, const std::string& variant) {
  TRY_ASSIGN(std::vector<Edition> editions, editions_of(image));
  const auto is_it = [&](const Edition& edition) { return edition.variant == variant; };
  if (!variant.empty() && std::any_of(editions.begin(), editions.end(), is_it)) {
    std::erase_if(editions, [&](const Edition& edition) { return !is_it(edition); });
    return editions;
  }
  const Value* said = image.find("push_cpu");
  const bool* pushes = said == nullptr ? nullptr : said->boolean();
  if (!cpu_stays || (pushes != nullptr && *pushes)) return editions;
  const auto is_cpu = [](const Edition& edition) { return edition.variant == "cpu"; };
  if (!std::all_of(editions.begin(), editions.end(), is_cpu)) std::erase_if(editions, is_cpu);
  return editions;
}

}  // namespace trainmake
