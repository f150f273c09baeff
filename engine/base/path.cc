// Path arithmetic on bytes. Asks the system for its current folder and where links lead, and for nothing
// else.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "engine/base/file_system.h"

namespace trainmake {

namespace {

bool is_absolute(std::string_view path) { return path.starts_with('/'); }

// Drops "", "." and what `..` takes back; `climbed` tells whether `..` had nothing to take.
std::string without_dots(std::string_view path, bool& climbed) {
  std::vector<std::string_view> kept;
  climbed = false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      kept.push_back(part);
    } else if (kept.empty()) {
      climbed = true;
    } else {
      kept.pop_back();
    }
  }
  std::string out;
  for (const std::string_view part : kept) {
    if (!out.empty() || is_absolute(path)) out += '/';
    out += part;
  }
  return out.empty() && is_absolute(path) ? "/" : out;
}

}  // namespace

std::string path_join(std::string_view base, std::string_view rest) {
  if (is_absolute(rest) || base.empty() || base == ".") return std::string(rest == "." ? "" : rest);
  std::string out(base);
  if (rest.empty() || rest == ".") return out;
  if (!out.ends_with('/')) out += '/';
  out += rest;
  return out;
}

std::string_view path_folder(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos || path == "/") return {};
  return path.substr(0, slash == 0 ? 1 : slash);
}

std::string_view path_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::optional<std::string> path_clean(std::string_view path) {
  bool climbed = false;
  std::string out = without_dots(path, climbed);
  if (climbed) return std::nullopt;
  return out;
}

std::optional<std::string> path_below(std::string_view path, std::string_view base) {
  if (path == base) return "";
  if (base.empty()) return is_absolute(path) ? std::nullopt : std::optional<std::string>(path);
  if (!path.starts_with(base)) return std::nullopt;
  path.remove_prefix(base.size());
  if (base == "/") return std::string(path);
  if (!is_absolute(path)) return std::nullopt;
  return std::string(path.substr(1));
}

// "." when the folder has been removed: whatever is done there then fails with its own message.
std::string current_folder() {
  std::string buffer(256, '\0');
  while (getcwd(buffer.data(), buffer.size()) == nullptr) {
    if (errno != ERANGE) return ".";
    buffer.resize(2 * buffer.size());
  }
  buffer.resize(buffer.find('\0'));
  return buffer;
}

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  return real == nullptr ? path : std::string(real.get());
}

std::string absolute_path(std::string_view path) {
  bool climbed = false;  // as the kernel has it, `/..` is `/`
  return without_dots(is_absolute(path) ? std::string(path) : path_join(current_folder(), path), climbed);
}

}  // namespace trainmake
