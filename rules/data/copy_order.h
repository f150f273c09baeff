// In which order files are copied inside a store, from keys that others of them overwrite. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string_view>
#include <vector>

#include "cache/listing.h"

namespace trainmake {

class CopyOrder {
 public:
  // Borrows both.
  void add(const ListedFile* file, std::string_view from);

  struct Waves {
    std::vector<std::vector<const ListedFile*>> copied;  // those of one at the same time
    std::vector<const ListedFile*> sent;  // whose source is overwritten before: after all copies
  };
  Waves waves() const;

 private:
  struct Copy {
    const ListedFile* file = nullptr;
    std::string_view from;
  };
  std::map<std::string_view, Copy> copies_;  // by the key that each goes to
};

}  // namespace trainmake
