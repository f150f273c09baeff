// Which files a target says are its own, as patterns: so that a file that is gone is known to have been one
// of them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/glob.h"
#include "engine/model/graph.h"

namespace trainmake {

class FileClaims {
 public:
  // Of every attribute that names files, whatever its kind.
  static Result<FileClaims> of(const Schema& schema, const Target& target);

  // `path` is from the project's folder. A glob does not reach into another project, a plain path does.
  bool claims(std::string_view path, bool in_another_project) const;
  bool may_claim_below(std::string_view folder) const;

 private:
  struct Group {
    std::vector<PathPattern> include;
    std::vector<PathPattern> exclude;
  };
  Result<void> add_files(const Value& value);

  std::vector<std::string> paths_;
  std::vector<Group> groups_;
};

}  // namespace trainmake
