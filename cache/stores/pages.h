// Whether a list that comes page by page goes on: a service that repeats itself would be asked for ever.
// Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/hash.h"

namespace trainmake {

class Pages {
 public:
  // Of a page on which more are said to follow: its first key, "" when it has none, and the token of the
  // next.
  bool go_on(std::string_view first_key, std::string_view next);

 private:
  std::set<Digest128> tokens_;  // may be long, and many
  std::string first_key_;
  int empty_ = 0;  // pages in a row
};

// Of store `name`, where they do not.
Error endless_list(const std::string& doing, const std::string& name);

}  // namespace trainmake
