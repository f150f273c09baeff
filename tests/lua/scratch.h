// A workspace in memory, and what load says of it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/base/host.h"
#include "lua/load.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {

class Scratch {
 public:
  Scratch() {
    options.root = "/work";
    files.put_folder("/work");
  }
  explicit Scratch(const std::string& trainfile) : Scratch() { write(kTrainfile, trainfile); }

  void write(const std::string& path, const std::string& text) { files.put("/work/" + path, text); }
  Project load(const std::string& folder = "") { return load_project(host(), options, folder); }
  Space load_trainspace() { return load_space(host(), options.root); }
  Host host() { return {files, processes, http, clock, environment}; }

  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
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
