// Looks for secrets in what goes into a layer.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/secrets.h"

namespace trainmake {

// To be told of secrets that are too short to be looked for; "" when there are none.
std::string not_looked_for(const Secrets& secrets);

class SecretSearch {
 public:
  explicit SecretSearch(const Secrets& secrets);

  void begin() { held_.clear(); }
  // The name of one that ends in `bytes`, which go on where the last ended; "" is none.
  std::string add(std::string_view bytes);

 private:
  std::vector<std::pair<std::string, std::string>> values_;
  std::size_t longest_ = 0;
  std::string held_;
};

}  // namespace trainmake
