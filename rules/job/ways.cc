#include "rules/job/ways.h"

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr int kMostLinks = 40;  // as the kernel has it

bool is_root(std::string_view folder) { return folder.empty() || folder == "/"; }

}  // namespace

Result<Looked> look_at(Host& host, const std::string& path) {
  Looked looked;
  TRY_ASSIGN(looked.itself, host.files.look(path));
  looked.target = looked.itself;
  if (looked.itself.is(FileKind::kLink)) {
    TRY_ASSIGN(looked.target, host.files.look(path, Links::kFollow));
  }
  return looked;
}

Result<void> Ways::add_folder(const std::string& folder) {
  TRY(follow(folder));
  return {};
}

Result<void> Ways::add_link(std::string link) {
  for (int links = 0; links < kMostLinks; ++links) {
    TRY_ASSIGN(const std::string text, host_.files.read_link(link));
    TRY_ASSIGN(const std::string folder, follow(path_join(path_folder(link), path_folder(text))));
    link = path_join(folder, path_name(text));
    TRY_ASSIGN(const Looked looked, look_at(host_, link));
    if (!looked.itself.is(FileKind::kLink)) break;
    TRY(keep(link, looked));
  }
  return {};
}

// Where it leads once every link on the way is followed.
Result<std::string> Ways::follow(const std::string& folder) {
  if (const auto known = led_to_.find(folder); known != led_to_.end()) return known->second;
  if (root_.empty()) {
    TRY_ASSIGN(root_, follow_links(host_.files, workspace_.root));
  }
  const auto below = path_below(folder, workspace_.root);
  const std::string top = below ? root_ : "/";
  TRY(pass(top));
  const LinkTexts text_of = [&](const std::string& passed) -> Result<std::optional<std::string>> {
    TRY_ASSIGN(const bool is_link, pass(passed));
    if (!is_link) return std::optional<std::string>();
    return host_.files.read_link(passed);
  };
  TRY_ASSIGN(std::string led_to, follow_links(text_of, top, below.value_or(folder)));
  return led_to_.emplace(folder, std::move(led_to)).first->second;
}

// Whether a link stands there.
Result<bool> Ways::pass(const std::string& path) {
  const auto known = looked_.find(path_below(path, root_).value_or(path));
  if (known != looked_.end()) return known->second.itself.is(FileKind::kLink);
  TRY_ASSIGN(const Looked looked, look_at(host_, path));
  if (looked.itself.exists()) TRY(keep(path, looked));
  return looked.itself.is(FileKind::kLink);
}

// Up to the root, which is there for what it tells of those in it.
Result<void> Ways::keep(const std::string& path, const Looked& looked) {
  const std::string name = path_below(path, root_).value_or(path);
  looked_[name] = looked;
  if (is_root(name)) return {};
  TRY(pass(std::string(path_folder(path))));
  return {};
}

}  // namespace trainmake
