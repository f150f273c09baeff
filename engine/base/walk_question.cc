#include "engine/base/walk_question.h"

#include <algorithm>

#include "engine/base/git.h"

namespace trainmake {

WalkQuestion::WalkQuestion(const WalkRequest& request)
    : request_(request),
      kept_out_(request.kept_out.empty() ? "" : path_below(request.kept_out, request.top).value_or("")),
      matched_(request.include.size()) {}

Result<void> WalkQuestion::parse() {
  for (std::size_t number = 0; number < request_.include.size(); ++number) {
    TRY_ASSIGN(PathPattern pattern, PathPattern::parse(request_.include[number]));
    if (pattern.is_literal()) {
      named_[pattern.path()].push_back(number);
    } else {
      searches_.push_back({std::move(pattern), number});
    }
  }
  for (const std::string& text : request_.exclude) {
    TRY_ASSIGN(PathPattern pattern, PathPattern::parse(text));
    exclude_.push_back(std::move(pattern));
  }
  return {};
}

bool WalkQuestion::wants(std::string_view path) const {
  return std::any_of(searches_.begin(), searches_.end(),
                     [&](const Search& s) { return s.pattern.matches(path); });
}

bool WalkQuestion::leads_on(std::string_view folder) const {
  return std::any_of(searches_.begin(), searches_.end(),
                     [&](const Search& s) { return s.pattern.may_match_below(folder); });
}

bool WalkQuestion::excludes(std::string_view path) const {
  if (path == kept_out_) return true;
  return std::any_of(exclude_.begin(), exclude_.end(), [&](const PathPattern& p) { return p.matches(path); });
}

Result<bool> WalkQuestion::ignores(const std::string& path, bool is_folder) const {
  if (request_.ignore == nullptr) return false;
  return request_.ignore->ignores(path_join(request_.top, path), is_folder);
}

Result<bool> WalkQuestion::prunes(std::string_view folder) const {
  for (; !folder.empty(); folder = path_folder(folder)) {
    if (excludes(folder)) return true;
    TRY_ASSIGN(const bool ignored, ignores(std::string(folder), true));
    if (ignored) return true;
  }
  return false;
}

void WalkQuestion::mark(std::string_view path) {
  if (all_searches_matched_.load(std::memory_order_relaxed)) return;
  bool all = true;
  for (const Search& search : searches_) {
    std::atomic<bool>& matched = matched_[search.number];
    if (!matched.load(std::memory_order_relaxed) && search.pattern.matches(path)) matched = true;
    all = all && matched.load(std::memory_order_relaxed);
  }
  if (all) all_searches_matched_ = true;
}

void WalkQuestion::mark_named(const std::string& path) {
  for (const std::size_t number : named_.at(path)) matched_[number] = true;
}

std::vector<std::string> WalkQuestion::unmatched() const {
  std::vector<std::string> patterns;
  for (std::size_t number = 0; number < matched_.size(); ++number) {
    if (!matched_[number]) patterns.push_back(request_.include[number]);
  }
  return patterns;
}

}  // namespace trainmake
