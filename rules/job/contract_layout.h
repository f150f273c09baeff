// A contract's folders on a machine that cannot give a job absolute paths of its own: they begin at a folder
// of the run, and are links to where the platform has them. Pure but for `lay_out`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/base/file_system.h"
#include "rules/job/contract.h"

namespace trainmake {

struct ContractLayout {
  struct Link {
    std::string at;  // outside of other links
    std::string to;
  };
  Folders folders;          // as the job sees them
  std::vector<Link> links;  // outer ones first; none where the contract leaves the folders to the platform
  std::vector<std::pair<std::string, std::string>> files;  // where, and what is in it
};

// The contract's folders as a job sees them, below `top`, and which of `real` each is: outer ones first, one
// at a path. None where it leaves them to the platform.
std::vector<ContractLayout::Link> places_of(const Contract& contract, const Folders& real,
                                            const std::string& top);
// The folders that a job is told of.
Folders folders_below(const Contract& contract, const Folders& real, const std::string& top);
// `real` is where the platform has the folders; the contract's begin at `top`.
ContractLayout layout_below(const Contract& contract, const JobSpec& spec, const Folders& real,
                            const std::string& top, const Rank& rank = {});
// What of the code, which lies in the folder `at`, is in the way of a link is an error.
Result<void> check_code(const ContractLayout& layout, const Listing& code, const std::string& at);
// REQUIRES: the folders that the links lead to are there, and nothing is in the way.
Result<void> lay_out(FileSystem& files, const ContractLayout& layout);

}  // namespace trainmake
