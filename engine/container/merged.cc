#include "engine/container/merged.h"

#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "engine/container/unpack.h"

namespace trainmake {
namespace {

constexpr int kMostLinks = 40;  // as the kernel has it

// The parts of a path still to be walked, the next one last.
void push_parts(std::string_view path, std::vector<std::string>& parts) {
  const std::vector<std::string> more = split(path, '/');
  parts.insert(parts.end(), more.rbegin(), more.rend());
}

std::optional<std::string> read_link(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  if (size < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(size));
}

}  // namespace

bool is_whiteout(const struct stat& stat) { return S_ISCHR(stat.st_mode) && stat.st_rdev == 0; }

bool is_opaque(const std::string& folder) {
  char value = 0;
  return lgetxattr(folder.c_str(), opaque_attribute(), &value, 1) == 1 && value == 'y';
}

std::optional<MergedEntry> find_merged(const std::vector<std::string>& folders, std::string_view name) {
  std::optional<MergedEntry> found;
  for (const std::string& folder : folders) {
    const std::string path = path_join(folder, name);
    struct stat stat {};
    if (lstat(path.c_str(), &stat) != 0) continue;
    if (is_whiteout(stat) || (found && !S_ISDIR(stat.st_mode))) break;
    if (!found) found = MergedEntry{path, stat, {}};
    if (!S_ISDIR(stat.st_mode)) break;
    found->folders.push_back(path);
    if (is_opaque(path)) break;
  }
  return found;
}

std::optional<MergedPath> follow_merged(const std::vector<std::string>& layers, std::string_view path) {
  std::vector<std::string> parts;
  push_parts(path, parts);
  const MergedEntry root{"", {}, layers};
  std::vector<std::pair<std::string, std::optional<MergedEntry>>> walked;
  int links = 0;
  while (!parts.empty()) {
    const std::string part = parts.back();
    parts.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!walked.empty()) walked.pop_back();
      continue;
    }
    const std::optional<MergedEntry>& above = walked.empty() ? root : walked.back().second;
    std::optional<MergedEntry> found = above ? find_merged(above->folders, part) : std::nullopt;
    if (found && S_ISLNK(found->stat.st_mode)) {
      const std::optional<std::string> target = read_link(found->path);
      if (!target || ++links > kMostLinks) return std::nullopt;
      if (target->starts_with('/')) walked.clear();
      push_parts(*target, parts);
      continue;
    }
    walked.emplace_back(part, std::move(found));
  }
  MergedPath end;
  for (const auto& [name, entry] : walked) end.path += cat("/", name);
  if (walked.empty()) end.path.push_back('/');
  end.entry = walked.empty() ? root : walked.back().second;
  return end;
}

}  // namespace trainmake
