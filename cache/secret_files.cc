#include "cache/secret_files.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

bool is_secret_name(std::string_view name) {
  constexpr std::string_view kNames[] = {".env",       "id_rsa", "id_dsa", "id_ecdsa",
                                         "id_ed25519", ".netrc", ".pypirc"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
         (name.starts_with(".env.") && name != ".env.example" && name != ".env.sample" &&
          name != ".env.template");
}

// By its key, or by its path from the project.
bool is_allowed(const ListedFile& file, const std::vector<std::string>& allowed, const Target& target) {
  const std::string& project = target.label.folder;
  const std::string from_project =
      project.empty() ? file.source : path_below(file.source, project).value_or(file.source);
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& path) { return path == file.key || path == from_project; });
}

Error refusal(const std::vector<std::string>& names, const Target& target, std::string_view attribute) {
  const bool is_code = target.label.kind == "code";
  return user_error(cat(names.size() == 1 ? "A private key or `.env` file is among the "
                                          : "Private keys or `.env` files are among the ",
                        is_code ? "code: " : "files of an image: ", join(names, ", ")),
                    cat("Take it out of ", quoted(attribute), is_code ? " (or let git ignore it)" : "",
                        "; `allow = { \"path\" }` lets it in"))
      .at(target.place_of(attribute));
}

}  // namespace

Result<void> refuse_secret_files(const FileSet& set, const Target& target, std::string_view attribute) {
  const std::vector<std::string> allowed = target.strings("allow");
  std::vector<std::string> refused;
  for (std::size_t i = 0; i < set.files.size(); ++i) {
    const ListedFile& file = set.files[i];
    const bool secret =
        is_secret_name(path_name(file.source)) || std::binary_search(set.keys.begin(), set.keys.end(), i);
    if (secret && !is_allowed(file, allowed, target)) refused.push_back(quoted(file.source));
  }
  if (refused.empty()) return {};
  return fail(refusal(refused, target, attribute));
}

}  // namespace trainmake
