#include "rules/code/secret_files.h"

#include <algorithm>
#include <array>

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

bool is_likely_key_name(std::string_view name) {
  return name.ends_with(".pem") || name.ends_with(".key") || name.ends_with("_key") ||
         name.starts_with("id_");
}

Result<bool> holds_private_key(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files.open(path));
  std::array<char, 4096> head{};
  TRY_ASSIGN(const std::size_t count, reader->read(head));
  const std::string_view text(head.data(), count);
  const std::size_t begin = text.find("-----BEGIN ");
  return begin != std::string_view::npos && text.find("PRIVATE KEY-----", begin) != std::string_view::npos;
}

// By its key, or by its path from the project.
bool is_allowed(const ListedFile& file, const std::vector<std::string>& allowed, const Target& target) {
  const std::string& project = target.label.folder;
  const std::string from_project =
      project.empty() ? file.source : path_below(file.source, project).value_or(file.source);
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& path) { return path == file.key || path == from_project; });
}

Error refusal(const std::vector<std::string>& names, const Target& target) {
  return user_error(cat(names.size() == 1 ? "A private key or `.env` file is among the code: "
                                          : "Private keys or `.env` files are among the code: ",
                        join(names, ", ")),
                    "Take it out of `srcs` (or let git ignore it); `allow = { \"path\" }` lets it in")
      .at(target.place_of("srcs"));
}

}  // namespace

Result<void> refuse_secret_files(FileSystem& files, const Workspace& workspace, const Listing& listing,
                                 const std::vector<std::string>& allowed, const Target& target) {
  std::vector<std::string> refused;
  for (const ListedFile& file : listing) {
    const std::string_view name = path_name(file.source);
    bool secret = is_secret_name(name);
    if (!secret && is_likely_key_name(name) && file.link_target.empty()) {
      if (const Result<bool> key = holds_private_key(files, workspace.path(file.source))) secret = *key;
    }
    if (secret && !is_allowed(file, allowed, target)) refused.push_back(quoted(file.source));
  }
  if (refused.empty()) return {};
  return fail(refusal(refused, target));
}

Result<void> refuse_key_content(FileSystem& files, const std::string& path, const ListedFile& file,
                                const std::vector<std::string>& allowed, const Target& target) {
  TRY_ASSIGN(const bool key, holds_private_key(files, path));
  if (!key || is_allowed(file, allowed, target)) return {};
  return fail(refusal({quoted(file.source)}, target));
}

}  // namespace trainmake
