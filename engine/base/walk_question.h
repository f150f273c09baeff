// Which paths a walk wants, and which of its patterns have been answered. Asks no file system: only patterns
// and the rules of git. Thread rule: any thread after parse; what has been marked stays marked.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/glob.h"
#include "engine/base/walk.h"

namespace trainmake {

class WalkQuestion {
 public:
  explicit WalkQuestion(const WalkRequest& request);  // which is kept, not copied
  Result<void> parse();

  struct Search {
    PathPattern pattern;
    std::size_t number = 0;  // in the request
  };
  const std::vector<Search>& searches() const { return searches_; }  // the patterns that are no literals
  // What literal patterns name, with their numbers in the request.
  const std::map<std::string, std::vector<std::size_t>>& named() const { return named_; }

  // Of searches alone: what is named is known to be wanted.
  bool wants(std::string_view path) const;
  bool leads_on(std::string_view folder) const;
  bool excludes(std::string_view path) const;
  Result<bool> ignores(const std::string& path, bool is_folder) const;
  // Whether a walk from top would not have entered `folder`, or one above it.
  Result<bool> prunes(std::string_view folder) const;

  void mark(std::string_view path);  // found by searching
  void mark_named(const std::string& path);
  std::vector<std::string> unmatched() const;

 private:
  const WalkRequest& request_;
  std::string kept_out_;  // from top; "" when it does not lie below
  std::vector<Search> searches_;
  std::map<std::string, std::vector<std::size_t>> named_;
  std::vector<PathPattern> exclude_;
  std::vector<std::atomic<bool>> matched_;          // by number in the request
  std::atomic<bool> all_searches_matched_ = false;  // so that a million files are not matched twice
};

}  // namespace trainmake
