// A workspace in a temporary folder, and what load says of it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/base/host.h"
#include "lua/load.h"

namespace trainmake {

class Scratch {
 public:
  Scratch() {
    std::string folder = std::filesystem::temp_directory_path() / "trainmake-lua-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) std::abort();
    options.root = folder;
  }
  explicit Scratch(const std::string& trainfile) : Scratch() { write("TRAINFILE.lua", trainfile); }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(options.root, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void write(const std::string& path, const std::string& text) {
    const Result<void> written = write_file(real_file_system(), path_join(options.root, path), text);
    EXPECT_TRUE(written.has_value());
  }
  Project load(const std::string& folder = "") { return load_project(host(), options, folder); }
  Space load_trainspace() { return load_space(host(), options.root); }
  Host host() { return {real_file_system(), real_processes(), real_http(), real_clock(), environment}; }

  LoadOptions options;
  Environment environment;
};

inline Project load_text(const std::string& trainfile) { return Scratch(trainfile).load(); }

// The one error of a file, or a failure of the test.
inline Error only_error(const std::string& trainfile) {
  const Project project = load_text(trainfile);
  EXPECT_EQ(project.errors.size(), 1U) << trainfile;
  return project.errors.empty() ? Error() : project.errors.front();
}

inline Error first_error(const std::string& trainfile) {
  const Project project = load_text(trainfile);
  EXPECT_FALSE(project.errors.empty()) << trainfile;
  return project.errors.empty() ? Error() : project.errors.front();
}

inline testing::AssertionResult says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no `" << part << "` in: " << text;
}

inline testing::AssertionResult no_errors(const std::vector<Error>& errors) {
  if (errors.empty()) return testing::AssertionSuccess();
  auto failure = testing::AssertionFailure();
  for (const Error& error : errors)
    failure << error.where.text() << ": " << error.message << " (" << error.hint << ")\n";
  return failure;
}

}  // namespace trainmake
