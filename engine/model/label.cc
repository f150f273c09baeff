#include "engine/model/label.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '+' || c == '=' || c == '@' || c == '~' || c == '-';
}

Error bad_label(std::string_view text, std::string_view why) {
  return user_error(cat("Label ", quoted(text), " ", why),
                    "A label looks like `job:mnist` or `//vision/mnist/job:mnist`");
}

// `text` split at its last `:` into folder, kind and name, the folder made absolute.
struct Parts {
  std::string folder;
  std::string kind;
  std::string name;
};

Result<std::string> absolute_folder(std::string_view text, std::string_view written, std::string_view here) {
  const bool from_root = written.starts_with("//");
  std::string_view rest = from_root ? written.substr(2) : written;
  if (rest.starts_with('/')) return fail(bad_label(text, "has three slashes at its start"));
  while (rest.ends_with('/')) rest.remove_suffix(1);
  std::optional<std::string> folder = path_clean(from_root ? std::string(rest) : path_join(here, rest));
  if (!folder)
    return fail(
        bad_label(text, "leads out of the workspace")
            .advise("A TRAINSPACE.lua in a folder that holds both projects makes them one workspace"));
  for (const char c : *folder) {
    if (c == '*' || static_cast<unsigned char>(c) < 0x20)
      return fail(bad_label(text, "has a folder with a `*` or a control character"));
  }
  if (cat("/", *folder, "/").find("/.../") != std::string::npos)
    return fail(bad_label(text, "has a `...` where one folder is meant"));
  return *std::move(folder);
}

Result<Parts> split_label(std::string_view text, std::string_view here) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(bad_label(text, "has no `:`"));
  const std::string_view before = text.substr(0, colon);
  const std::size_t slash = before.rfind('/');
  const std::string_view kind = slash == std::string_view::npos ? before : before.substr(slash + 1);
  const std::string_view folder =
      slash == std::string_view::npos ? std::string_view() : before.substr(0, slash + 1);
  Parts parts{{}, std::string(kind), std::string(text.substr(colon + 1))};
  TRY_ASSIGN(parts.folder, absolute_folder(text, folder, here));
  return parts;
}

std::optional<Error> wrong_kind(std::string_view text, std::string_view kind) {
  if (is_kind(kind)) return std::nullopt;
  const std::vector<std::string> kinds(std::begin(kKinds), std::end(kKinds));
  const std::string meant = did_you_mean(kind, kinds);
  return user_error(cat("Label ", quoted(text), " names no kind of target: expected ", join(kinds, ", "),
                        ", got ", quoted(kind)),
                    meant.empty() ? std::string("A label looks like `job:mnist`") : meant);
}

bool fits_glob(std::string_view pattern, std::string_view text) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  for (std::size_t skip = star; skip <= text.size(); ++skip) {
    if (fits_glob(pattern.substr(star + 1), text.substr(skip))) return true;
  }
  return false;
}

}  // namespace

bool is_kind(std::string_view word) {
  return std::find(std::begin(kKinds), std::end(kKinds), word) != std::end(kKinds);
}

std::string wrong_name(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > 200) return "is longer than 200 bytes";
  if (name.front() == '-' || name.front() == '.') return "starts with `-` or `.`";
  for (const char c : name) {
    if (!is_name_byte(c))
      return cat("has ", quoted(std::string_view(&c, 1)),
                 " in it; letters, digits and `_.+=@~-` may stand there");
  }
  return {};
}

std::string Label::text() const { return cat("//", folder, folder.empty() ? "" : "/", kind, ":", name); }

std::string Label::shortest_from(std::string_view here) const {
  const std::string local = cat(kind, ":", name);
  if (folder == here) return local;
  std::string absolute = text();
  const std::optional<std::string> below =
      here.empty() ? std::optional<std::string>(folder) : path_below(folder, here);
  if (!below) return absolute;
  return cat(*below, "/", local);
}

bool Pattern::is_label() const {
  return !recursive && kind.find('*') == std::string::npos && name.find('*') == std::string::npos;
}

Label Pattern::label() const { return {folder, kind, name}; }

bool Pattern::fits_folder(std::string_view project_folder) const {
  if (project_folder == folder) return true;
  return recursive && (folder.empty() || path_below(project_folder, folder).has_value());
}

bool Pattern::fits(const Label& label) const {
  return fits_folder(label.folder) && fits_glob(kind, label.kind) && fits_glob(name, label.name);
}

std::string Pattern::text() const {
  std::string out = cat("//", folder);
  if (recursive) out += folder.empty() ? "..." : "/...";
  const bool says_all = kind == "*" && name == "*" && recursive;
  if (says_all && folder.find(':') == std::string::npos) return out;
  return cat(out, out.ends_with('/') ? "" : "/", kind, ":", name);
}

Result<Label> parse_label(std::string_view text, std::string_view here) {
  TRY_ASSIGN(Parts parts, split_label(text, here));
  if (std::optional<Error> wrong = wrong_kind(text, parts.kind)) return fail(*std::move(wrong));
  if (const std::string why = wrong_name(parts.name); !why.empty())
    return fail(bad_label(text, cat("has a name that ", why)));
  return Label{std::move(parts.folder), std::move(parts.kind), std::move(parts.name)};
}

Result<Pattern> parse_pattern(std::string_view text, std::string_view here) {
  Pattern pattern;
  std::string_view head = text;  // what stands before `kind:name`
  if (text.find(':') != std::string_view::npos) {
    const std::size_t slash = text.substr(0, text.rfind(':')).rfind('/');
    head = slash == std::string_view::npos ? std::string_view() : text.substr(0, slash + 1);
    const std::string_view tail = text.substr(head.size());
    pattern.kind = tail.substr(0, tail.rfind(':'));
    pattern.name = tail.substr(tail.rfind(':') + 1);
    if (pattern.kind != "*") {
      if (std::optional<Error> wrong = wrong_kind(text, pattern.kind)) return fail(*std::move(wrong));
    }
    std::string plain = pattern.name;
    std::erase(plain, '*');
    if (plain.size() == pattern.name.size() || !plain.empty()) {
      if (const std::string why = wrong_name(plain); !why.empty())
        return fail(bad_label(text, cat("has a name that ", why)));
    }
  } else if (!text.ends_with("...")) {
    return fail(bad_label(text, "has no `:`"));
  }
  while (head.size() > 2 && head.ends_with('/')) head.remove_suffix(1);
  if (head == "..." || head.ends_with("/...")) {
    pattern.recursive = true;
    head.remove_suffix(3);
  }
  TRY_ASSIGN(pattern.folder, absolute_folder(text, head, here));
  return pattern;
}

}  // namespace trainmake

std::size_t std::hash<trainmake::Label>::operator()(const trainmake::Label& label) const noexcept {
  const std::hash<std::string> of;
  return (of(label.folder) * 31U + of(label.kind)) * 31U + of(label.name);
}
