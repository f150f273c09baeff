// Code and data below the shared folder, by content: what is there under a digest is whole, so that any
// number of jobs, of several trainmakes at once, share it. Knows no job. Thread rule: any thread.
#pragma once

#include <string>
#include <vector>

#include "cache/blobs.h"
#include "engine/base/host.h"
#include "engine/model/project.h"
#include "rules/job/job_spec.h"

namespace trainmake {

class SharedFiles {
 public:
  SharedFiles(Host& host, const Workspace& workspace, Blobs& blobs, std::string top);

  // The folder of a tree, placed there unless it is there. Code has modes and links of its own; data is
  // links to files that other trees share.
  Result<std::string> place_code(const Listing& code);
  Result<std::string> place_data(const std::vector<GivenTree>& trees);

 private:
  Result<void> place_content(const GivenTree& tree, const ListedFile& file, const std::string& to);
  Result<void> copy_in_place(const ListedFile& file, const std::string& label, const std::string& to);
  // `make` fills a folder that nobody else knows, which then takes its name.
  template <typename Make>
  Result<std::string> place_tree(const std::string& name, Make make);

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
  std::string top_;
};

// Digits that nobody else comes up with.
std::string random_name();

}  // namespace trainmake
