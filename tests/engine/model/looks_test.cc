#include "engine/model/looks.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

Looks everything(const std::string& name) {
  Looks looks;
  looks.files = {{name, {}}};
  looks.folders = {{name, {}}};
  looks.add_variable(name, "value");
  looks.asked = true;
  return looks;
}

// Copied or moved, into nothing or to what there is.
TEST(Looks, NothingIsLostWhenTheyAreAdded) {
  for (const bool is_moved : {false, true}) {
    for (const bool is_first : {false, true}) {
      Looks all = is_first ? Looks() : everything("a");
      all.asked = false;
      Looks more = everything("b");
      if (is_moved)
        all.add(std::move(more));
      else
        all.add(more);
      const std::size_t count = is_first ? 1 : 2;
      EXPECT_EQ(all.files.size(), count);
      EXPECT_EQ(all.folders.size(), count);
      EXPECT_EQ(all.variables.size(), count);
      EXPECT_TRUE(all.asked);
    }
  }
}

}  // namespace
}  // namespace trainmake
