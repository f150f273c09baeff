#include "rules/job/preflight.h"

#include <algorithm>
#include <optional>

#include "engine/base/text.h"
#include "rules/job/distribution.h"
#include "rules/job/placed_words.h"
#include "rules/job/published_base.h"

namespace trainmake {
namespace {

constexpr std::size_t kMostSuggestions = 1000;  // files that a wrong path is compared with

bool lies_in(const Listing& files, const std::string& path) {
  const auto first_from = [&](const std::string& key) {
    return std::lower_bound(
        files.begin(), files.end(), key,
        [](const ListedFile& file, const std::string& sought) { return file.key < sought; });
  };
  const auto file = first_from(path), below = first_from(path + "/");
  return (file != files.end() && file->key == path) ||
         (below != files.end() && below->key.starts_with(path + "/"));
}

bool lies_in(const GivenTree& tree, const std::string& path) {
  if (path_below(tree.channel, path)) return true;  // a channel, or a folder of channels
  const std::optional<std::string> below = path_below(path, tree.channel);
  return below && lies_in(*tree.files, *below);
}

// Of the trees that the job reads; an empty optional when one of them is not known yet.
Result<std::optional<std::vector<GivenTree>>> trees_of(Listings& listings, const Subject& job) {
  std::vector<GivenTree> trees;
  for (const Dependency* need : data_of(job.target())) {
    TRY_ASSIGN(std::optional<GivenTree> tree, tree_of(listings, job, *need, Files::kForeseen));
    if (!tree) return std::optional<std::vector<GivenTree>>();
    trees.push_back(*std::move(tree));
  }
  return std::optional(std::move(trees));
}

struct PlacedUse {
  const char* attribute;
  PlacedPath path;
};

// Paths in the data that stand in a value, at any depth.
void add_placed(const char* attribute, const Value& value, std::vector<PlacedUse>& uses) {
  const PlacedPath* path = value.placed();
  if (path != nullptr && path->place == Place::kData && !path->rest.empty())
    uses.push_back({attribute, *path});
  if (value.table() == nullptr) return;
  for (const Value& item : value.table()->items) add_placed(attribute, item, uses);
  for (const auto& [name, field] : value.table()->fields) add_placed(attribute, field, uses);
}

// Paths at which a file is to be before the job begins. One in the code that `args` tell may be what it makes
// itself; data it only reads.
std::vector<PlacedUse> uses_of(const Target& job, const PlatformTraits& platform, Place place) {
  std::vector<PlacedUse> uses;
  for (const char* attribute : {"args", "params", "command"}) {
    const Value* value = place == Place::kData ? job.find(attribute) : nullptr;
    if (value != nullptr) add_placed(attribute, *value, uses);
  }
  for (const char* attribute : {"solver", "snapshot"}) {
    const Value* value = job.find(attribute);
    const std::optional<PlacedPath> path = value != nullptr ? placed_word(platform, *value) : std::nullopt;
    if (path && path->place == place) uses.push_back({attribute, *path});
  }
  return uses;
}

Error no_such_data(const PlacedPath& path, const std::vector<GivenTree>& trees, const std::string& shown) {
  std::vector<std::string> keys;
  const std::string first_part = cat(path.rest, "-part0001");
  for (const GivenTree& tree : trees) {
    for (const ListedFile& file : *tree.files) {
      if (path_join(tree.channel, file.key) == first_part)
        return user_error(
            cat("There is no ", quoted(path.rest), " in the data of ", quoted(shown),
                ", but parts of it, as `split` of ", quoted(tree.label), " has it"),
            cat("Let the job join ", quoted(cat(path.rest, "-part*")), ", or give `split` a larger size"));
      if (keys.size() == kMostSuggestions) break;
      keys.push_back(path_join(tree.channel, file.key));
    }
  }
  const std::string meant = did_you_mean(path.rest, keys);
  return user_error(cat("There is no ", quoted(path.rest), " in the data of ", quoted(shown)),
                    meant.empty()
                        ? "`data_dir` takes a path in the job's data; files of a named channel lie in a "
                          "folder of its name"
                        : meant);
}

Result<void> check_placed(Listings& listings, const Subject& job, const PlatformTraits& platform,
                          const std::string& shown) {
  const std::vector<PlacedUse> uses = uses_of(job.target(), platform, Place::kData);
  if (uses.empty()) return {};
  TRY_ASSIGN(const std::optional<std::vector<GivenTree>> trees, trees_of(listings, job));
  if (!trees) return {};
  for (const PlacedUse& use : uses) {
    const std::optional<std::string> path = path_clean(use.path.rest);
    const bool there = path && std::any_of(trees->begin(), trees->end(),
                                           [&](const GivenTree& tree) { return lies_in(tree, *path); });
    if (!there) return fail(no_such_data(use.path, *trees, shown).at(job.target().place_of(use.attribute)));
  }
  return {};
}

// Of the code all is known where nothing else of the image lies there.
Result<void> check_in_code(const Subject& job, const Entry& entry, const PlatformTraits& platform,
                           const std::string& shown) {
  if (!entry.code) return {};
  for (const auto& [attribute, placed] : uses_of(job.target(), platform, Place::kCode)) {
    const std::string& path = placed.rest;
    if (lies_in(*entry.code, path) || may_have_more_code(job, platform, path)) continue;
    if (has_link_to(*entry.code, path)) continue;
    std::vector<std::string> keys;
    for (const ListedFile& file : *entry.code) keys.push_back(file.key);
    const std::string meant = did_you_mean(path, keys);
    return fail(
        user_error(cat("There is no ", quoted(path), " among the code of ", quoted(shown)),
                   meant.empty()
                       ? "`code_dir` takes a path in the code, and `data_dir` one in the job's data; of one "
                         "that the job writes itself `args` can tell it"
                       : meant)
            .at(job.target().place_of(attribute)));
  }
  return {};
}

bool is_read_by_python(const Starter& starter) {
  return !starter.before.empty() &&
         (path_name(starter.before.front()) == "python3" || path_name(starter.before.back()) == "python3");
}

bool checks_syntax(const Target& job) {
  const Value* preflight = job.find("preflight");
  const Value* syntax = preflight != nullptr ? preflight->table()->find("syntax") : nullptr;
  return syntax == nullptr || *syntax->boolean();
}

Outlook outlook_of(const JobServices& services, const Subject& subject) {
  const Target& job = subject.target();
  Outlook outlook;
  const Value* said = job.find("resources");
  outlook.resources = resources_there(services.platform.traits, said != nullptr ? *said->table() : Table());
  if (const Value* timeout = job.find("timeout")) outlook.timeout_s = seconds_of(*timeout).value_or(0);
  if (const Value* distribution = job.find("distribution"))
    outlook.distribution = as_laid_out(*distribution_value(*distribution).table(), outlook.resources,
                                       services.platform.traits.contract.cluster);
  for (const Dependency* need : data_of(job)) {
    const Target& data = subject.graph[need->target];
    GivenTree tree{data.label.text(), need->channel, nullptr};
    const bool is_stored = services.platform.traits.reads_stores && data.label.kind == "data";
    if (is_stored && services.foresee_store) tree.store = services.foresee_store(data).value_or("");
    outlook.data.push_back(std::move(tree));
  }
  if (services.platform.traits.pulls_images && services.foresee_image) {
    if (auto image = services.foresee_image(subject.graph[image_of(job)->target])) outlook.image = *image;
  }
  return outlook;
}

// Somebody asked for the variant for accelerators, and these are what is lacking.
bool would_fit_as_cpu(Platform& platform, Outlook job) {
  if (platform.traits.variant != "gpu") return false;
  std::erase_if(job.resources.fields, [](const auto& field) { return field.first == "gpus"; });
  return platform.admits(job, Asking::kNobody).has_value();
}

}  // namespace

Applicant applicant_of(const JobServices& services, const Subject& subject) {
  const Target& job = subject.target();
  return {outlook_of(services, subject), job.strings("secrets"), job.place_of("resources"),
          job.place_of("secrets")};
}

Applicant applicant_of(const JobSpec& spec) {
  return {{spec.resources, spec.timeout_s, spec.distribution, spec.data}, spec.secrets};
}

Result<void> check_platform(const JobServices& services, const Applicant& job, Asking asking) {
  auto ready = services.platform.admits(job.outlook, asking);
  if (!ready) {
    Error error = std::move(ready).error();
    if (would_fit_as_cpu(services.platform, job.outlook))
      error.hint += cat(error.hint.empty() ? "" : "; ", "`--variant cpu` tries the image without gpus");
    return fail(std::move(error).at(job.resources_at));
  }
  if (!services.platform.traits.hides_secrets && !job.secrets.empty())
    return fail(
        user_error(cat("Platform ", quoted(services.platform_name),
                       " has no place for `secrets`: whoever sees a job there sees its command"),
                   cat("Let the job read them from its data, or from a service that knows it, and say "
                       "`secrets = select { ",
                       services.platform_name, " = {}, default = { ... } }`"))
            .at(job.secrets_at));
  return {};
}

// What it has for processors, as it is said: "" where that is not all.
std::string for_processors_alone(const Target& image) {
  const Value* base = image.find("base");
  if (base == nullptr || image.boolean_or("push_cpu", false)) return "";
  if (base->string() != nullptr) {
    const auto published = parse_published_base(*base->string());
    return published && published->accelerator == "cpu" ? "is built on a base for processors alone" : "";
  }
  if (base->table() == nullptr) return "";
  std::vector<std::string> variants = image.strings("variants");
  if (variants.empty()) {
    for (const auto& [name, reference] : base->table()->fields) variants.push_back(name);
  }
  return variants == std::vector<std::string>{"cpu"} ? "has the variant `cpu` alone" : "";
}

Result<void> check_paid_variant(const JobServices& services, const Subject& job) {
  if (!services.platform.traits.pulls_images) return {};
  const Target& image = job.graph[image_of(job.target())->target];
  const std::string why = for_processors_alone(image);
  if (why.empty()) return {};
  const std::string& here = services.workspace.here;
  return fail(
      user_error(cat(quoted(image.label.shortest_from(here)), " ", why, ", and machines of ",
                     quoted(services.platform_name), " have accelerators, which are paid for"),
                 cat("`trainmake run --local --container --variant cpu ",
                     shell_word(job.target().label.shortest_from(here)),
                     "` tries it on this machine; give the image a variant `gpu`, or `push_cpu = true`, with "
                     "which it runs there as it is"))
          .at(image.place_of(image.find("variants") != nullptr ? "variants" : "base")));
}

Result<void> check_before(const JobServices& services, Listings& listings, PythonCheck& python,
                          const Subject& job, const Entry& entry) {
  const Target& target = job.target();
  const PlatformTraits& platform = services.platform.traits;
  const std::string shown = target.label.shortest_from(services.workspace.here);
  TRY(check_placed(listings, job, platform, shown));
  TRY(check_in_code(job, entry, platform, shown));
  if (!checks_syntax(target)) return {};
  if (!entry.starter || !is_read_by_python(*entry.starter)) return {};
  const std::string complaint = python.complaint(entry.source);
  if (complaint.empty()) return {};
  return fail(user_error(cat("Python cannot read ", quoted(entry.main), ": ", printable(complaint)),
                         "If the image has another Python, which can: `preflight = { syntax = false }`")
                  .at(target.place_of("main")));
}

}  // namespace trainmake
