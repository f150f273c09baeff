// The default contract between trainmake and the user's code: which command is run, with which arguments,
// environment and folders. Pure: the same spec and folders give the same text. Platforms with a contract of
// their own render another way.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "rules/job/job_spec.h"

namespace trainmake {

// Raised when what a job sees changes, and with it what may come of it: it is part of every job's
// fingerprint.
inline constexpr std::string_view kDefaultContract = "default/1";

// Absolute paths, as the job sees them.
struct Folders {
  std::string code, data, output, checkpoint, log, home;
  std::string params;  // a JSON file
};

struct RenderedJob {
  std::vector<std::string> arguments;              // [0] is the program
  std::map<std::string, std::string> environment;  // all of it but secrets
  std::string folder;                              // to start in
};

// `path` is the PATH to look programs up in.
RenderedJob render(const JobSpec& spec, const Folders& folders, const std::string& path);
std::string params_json(const Fields& fields, const Folders& folders);

// How a main file says that it is run: `#!`, else by its extension, else as a program when its mode says so.
Result<Starter> starter_of(std::string_view key, std::uint32_t mode, std::string_view content);

}  // namespace trainmake
