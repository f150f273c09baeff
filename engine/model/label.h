// Names of targets: `//vision/mnist/job:mnist`, and patterns over them: `//...`, `//vision/.../job:*`.
// A Label is absolute once parsed, and parse(print(x)) = x. Knows nothing of graphs or files.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace trainmake {

struct Label {
  std::string folder;  // of the project, from the workspace's root; "" is the root itself
  std::string kind;    // code, data, image, job
  std::string name;

  std::string text() const;                                // `//vision/mnist/job:mnist`
  std::string shortest_from(std::string_view here) const;  // the shortest form that works from folder `here`
  friend auto operator<=>(const Label&, const Label&) = default;
};

// What may be asked for: one label, or every label that fits.
struct Pattern {
  std::string folder;
  bool recursive = false;  // `folder/...`: every project at or below folder
  std::string kind = "*";  // a kind, or `*`
  std::string name = "*";  // a name with `*` in it, or `*`

  bool is_label() const;  // fits exactly one label
  Label label() const;    // REQUIRES: is_label()
  bool fits(const Label& label) const;
  bool fits_folder(std::string_view project_folder) const;
  std::string text() const;
};

inline constexpr std::string_view kKinds[] = {"code", "data", "image", "job"};
bool is_kind(std::string_view word);
// Why `name` cannot name a target, or empty when it can: letters, digits and `_.+=@~-`, not starting with `-`
// or `.`.
std::string wrong_name(std::string_view name);

// `here` is the project folder that relative forms (`job:x`, `vision/mnist/job:x`) start from.
Result<Label> parse_label(std::string_view text, std::string_view here);
Result<Pattern> parse_pattern(std::string_view text, std::string_view here);

}  // namespace trainmake

template <>
struct std::hash<trainmake::Label> {
  std::size_t operator()(const trainmake::Label& label) const noexcept;
};
