// Texts that are kept in tests/golden: a difference is a failure that shows both. With TM_ACCEPT=1 the file
// is written anew and the test reports that it was skipped.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace trainmake {

inline void expect_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(TRAINMAKE_SOURCE_DIR) / "tests/golden" / name;
  if (const char* accept = std::getenv("TM_ACCEPT"); accept != nullptr && std::string(accept) == "1") {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    GTEST_SKIP() << "wrote " << path;
  }
  std::ifstream file(path, std::ios::binary);
  const std::string kept{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(text, kept) << "TM_ACCEPT=1 accepts the new text of " << path;
}

}  // namespace trainmake
