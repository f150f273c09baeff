// A graph from the text of a TRAINFILE, with the real schemas.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "engine/model/graph.h"
#include "lua/load.h"
#include "rules/all.h"
#include "tests/support/scratch_folder.h"

namespace trainmake {

inline constexpr const char* kSmallTrainfile = R"(
code "c" { srcs = glob { "code/**", exclude = { "code/old" } }, main = "train.py" }
data "a" { files = { "data/a.txt" }, tags = { "small", "text" } }
data "b" { files = glob "data/b/**" }
image "i" { code = "code:c", base = "scratch" }
job "train" { image = "image:i", data = { "data:a", "data:b" }, params = { lr = 0.5 } }
job "eval" { image = "image:i", data = { "data:b", model = "job:train" } }
)";

inline Project small_project(const std::string& trainfile = kSmallTrainfile) {
  const ScratchFolder folder;
  folder.write(kTrainfile, trainfile);
  const Environment environment;
  const Host host{real_file_system(), real_processes(), real_http(), real_clock(), environment};
  return load_project(host, {folder.path(), "local", "local"}, "");
}

inline Graph small_graph(const std::string& trainfile = kSmallTrainfile) {
  Resolver resolver(all_schemas(), "");
  resolver.ask({Pattern{"", true, "*", "*"}});
  resolver.add(small_project(trainfile));
  EXPECT_TRUE(resolver.missing().empty());
  Resolver::Outcome outcome = resolver.finish();
  EXPECT_TRUE(outcome.errors.empty());
  return std::move(outcome.graph);
}

}  // namespace trainmake
