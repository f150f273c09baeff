// A state database of a test's own, and runs and records to put there.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "cache/state.h"
#include "engine/base/text.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {

inline Label job(const std::string& name) { return {"", "job", name}; }

inline Manifest manifest_of(std::string_view content) {
  Manifest manifest;
  manifest.add(Section::kAttr, "params.lr", content);
  manifest.seal();
  return manifest;
}

struct RunFacts {
  std::string id;
  Label label;
  RunStatus status = RunStatus::kSucceeded;
  std::int64_t created_ns = 1;
  std::string content = "a";
};

inline Run run_of(const RunFacts& facts) {
  Run run;
  run.id = facts.id;
  run.label = facts.label;
  run.status = facts.status;
  run.created_ns = facts.created_ns;
  run.platform = "local";
  run.key = cat("trainmake-", facts.id);
  run.manifest = manifest_of(facts.content);
  run.fingerprint = run.manifest.fingerprint();
  return run;
}

struct LookingBack {
  ScratchFolder folder;
  std::unique_ptr<State> state = open();

  void put(const Run& run) { ASSERT_TRUE(state->put(run)); }
  void remember(const Run& run, Artifacts artifacts = {}) {
    ASSERT_TRUE(state->remember(
        {run.label, run.fingerprint, run.manifest, std::move(artifacts), run.created_ns, "0", run.id}));
  }

 private:
  std::unique_ptr<State> open() {
    auto opened = State::open(folder.path(), State::Access::kWrite);
    EXPECT_TRUE(opened);
    return opened ? *std::move(opened) : nullptr;
  }
};

}  // namespace trainmake
