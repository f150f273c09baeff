#include "rules/job/entry.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/job/contract.h"

namespace trainmake {
namespace {

Error same_code_path(const std::string& path, const std::string& image) {
  return user_error(cat("Two files of the code of ", quoted(image), " would lie at ", quoted(path)),
                    "Leave one of them out of its code target");
}

Error no_such_main(const std::string& main, const Listing& code, const std::string& image) {
  std::vector<std::string> keys;
  for (const ListedFile& file : code) {
    if (path_name(file.key).find('.') != std::string_view::npos) keys.push_back(file.key);
  }
  std::string advice = did_you_mean(main, keys);
  if (advice.empty()) advice = "A `main` is a path from the code's root";
  return user_error(cat("There is no ", quoted(main), " among the code of ", quoted(image)),
                    std::move(advice));
}

// The files of the code in the image; nullptr when they are not all known, or there are none.
Result<std::shared_ptr<const Listing>> code_of(Listings& listings, const Subject& job,
                                               const Dependency& image, Files which,
                                               const std::string& name) {
  std::vector<std::shared_ptr<const Listing>> parts;
  if (const Artifacts* artifacts = job.inputs.artifacts(image.target)) {
    for (const Artifact& artifact : *artifacts) {
      if (artifact.role != "code") continue;
      TRY_ASSIGN(std::shared_ptr<const Listing> kept, listings.get(artifact.sha256));
      parts.push_back(std::move(kept));
    }
  }
  const auto known = [&] { return std::find(parts.begin(), parts.end(), nullptr) == parts.end(); };
  if (!parts.empty() && known()) return merged(parts, name);
  if (which != Files::kForeseen) return std::shared_ptr<const Listing>();
  parts.clear();
  for (const TargetId code : code_targets(job.graph, image.target)) parts.push_back(foreseen(job, code));
  return known() ? merged(parts, name) : std::shared_ptr<const Listing>();
}

// What a file of the code says: out of its blob, or where it lies when it has none yet.
Result<std::optional<std::string>> content_of(const JobServices& services, const ListedFile& file) {
  if (file.sha256 != Sha256()) return services.blobs.read(file.sha256);
  return read_file_if_there(services.host.files, services.workspace.path(file.source));
}

Result<void> read_main(const JobServices& services, const Listing& code, const std::string& image,
                       Entry& entry) {
  const std::string& main = entry.main;
  const auto file =
      std::find_if(code.begin(), code.end(), [&](const ListedFile& listed) { return listed.key == main; });
  if (file == code.end()) return fail(no_such_main(main, code, image));
  std::optional<std::string> content;
  if (file->link_target.empty()) {
    TRY_ASSIGN(content, content_of(services, *file));
    if (!content) return {};
  }
  // What a link leads to is not followed here: its name must do.
  TRY_ASSIGN(entry.starter, starter_of(main, content ? file->mode : 0755U, content.value_or("")));
  entry.source = content.value_or("");
  return {};
}

// The main file as the image's code declares it now. Not from an artifact: an image whose code only names
// another main is the same image, and is not made again.
std::string main_of_code(const Graph& graph, TargetId image) {
  for (const TargetId code : code_targets(graph, image)) {
    if (std::string main = graph[code].string_or("main", ""); !main.empty()) return main;
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const Listing>> merged(const std::vector<std::shared_ptr<const Listing>>& listings,
                                              const std::string& image) {
  if (listings.empty()) return std::shared_ptr<const Listing>();
  if (listings.size() == 1) return listings.front();
  std::vector<GivenTree> trees;
  for (const auto& listing : listings) trees.push_back({"", "", listing});
  if (const std::optional<Clash> clash = find_clash(trees)) return fail(same_code_path(clash->path, image));
  Listing all;
  for (const auto& listing : listings) all.insert(all.end(), listing->begin(), listing->end());
  return std::make_shared<const Listing>(std::move(all));
}

Result<Entry> entry_of(Listings& listings, const JobServices& services, const Subject& job, Files which) {
  const Target& target = job.target();
  const std::string& here = services.workspace.here;
  const Dependency* need = image_of(target);
  CHECK(need != nullptr);
  const std::string image = job.graph[need->target].label.shortest_from(here);
  Entry entry;
  auto code = code_of(listings, job, *need, which, image);
  if (!code) return fail(std::move(code).error().at(job.graph[need->target].where));
  entry.code = *std::move(code);
  const Value* command = target.find("command");
  if (command != nullptr && command->table() != nullptr && !command->table()->items.empty()) return entry;
  entry.main = target.string_or("main", main_of_code(job.graph, need->target));
  if (entry.main.empty()) {
    return fail(user_error(cat(quoted(target.label.shortest_from(here)),
                               " does not say what to run, nor does the code of ", quoted(image)),
                           "Give it `main = \"train.py\"` or `command = { ... }`")
                    .at(target.where));
  }
  if (!entry.code) return entry;
  if (auto read = read_main(services, *entry.code, image, entry); !read)
    return fail(std::move(read).error().at(target.place_of("main")));
  return entry;
}

}  // namespace trainmake
