// The contract between a platform and the user's code, as data: where folders lie inside a job, which
// variables, flags and files say so, and how parameters become arguments. Rendering is pure: the same
// contract, spec and folders give the same text. Which contracts there are, contracts.h tells.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "rules/job/distribution.h"
#include "rules/job/job_spec.h"
#include "rules/job/parameters.h"

namespace trainmake {

struct Contract {
  // Texts with `{placeholders}` in them (placeholders.h), by name.
  using Texts = std::vector<std::pair<std::string, std::string>>;
  struct Places {
    std::string code, data, output, checkpoint, log;  // absolute; the last two may be the output folder
  };

  // Changes when what a job sees changes, and with it what may come of it: it is part of every job's
  // fingerprint.
  std::string version;
  std::optional<Places> places;  // without: wherever the platform has them
  Texts variables;
  Texts flags;  // after args and params; one whose text comes to nothing is left out
  Texts files;  // by absolute path
  ArgumentStyle arguments;
  ClusterStyle cluster = {};
  // What reads a main of Python, whatever that says itself; without: what it says.
  std::vector<std::string> python = {};
};

// The process that is rendered, where a job has several.
struct Rank {
  std::string host = "localhost";
  std::vector<std::string> hosts = {"localhost"};
  bool has_gpus = true;
};

struct RenderedJob {
  std::vector<std::string> arguments;              // [0] is the program
  std::map<std::string, std::string> environment;  // all of it but secrets
  std::string folder;                              // to start in
};

// `path` is the PATH to look programs up in.
RenderedJob render(const Contract& contract, const JobSpec& spec, const Folders& folders,
                   const std::string& path, const Rank& rank = {});
// As a platform is asked to start it that has the contract's own places, and adds the flags itself.
RenderedJob render_without_flags(Contract contract, const JobSpec& spec);
// The files that the contract wants, by path as the job sees it.
std::vector<std::pair<std::string, std::string>> render_files(const Contract& contract, const JobSpec& spec,
                                                              const Folders& folders, const Rank& rank = {});

// Whether it is Python that reads such a main file, by itself or by way of `env`.
bool starts_python(const Starter& starter);
// How a main file says that it is run: `#!`, else by its extension, else as a program when its mode says so.
Result<Starter> starter_of(std::string_view key, std::uint32_t mode, std::string_view content);

// Of a job's resources, rounded up; `otherwise` when they say nothing of it.
std::int64_t count_of(const Table& resources, std::string_view name, std::int64_t otherwise);
// Of each node: `gpus`, else the number that a `node_type` as `4-P40` begins with.
std::int64_t accelerators_of(const Table& resources);

}  // namespace trainmake
