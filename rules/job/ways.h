// The folders and links on the ways to files, as whoever opens these goes along them. Links are followed one
// by one, for any of a chain may lead elsewhere for a while. Knows nothing of jobs.
#pragma once

#include <map>
#include <string>

#include "engine/base/host.h"
#include "engine/model/project.h"

namespace trainmake {

struct Looked {
  Stat itself;  // what stands at the path, a link perhaps
  Stat target;  // where that leads
};
Result<Looked> look_at(Host& host, const std::string& path);

class Ways {
 public:
  Ways(Host& host, const Workspace& workspace) : host_(host), workspace_(workspace) {}

  // Absolute paths: of a folder that files lie in, and of a file that is a link, where that leads to. How
  // such a link itself looks is not kept.
  Result<void> add_folder(const std::string& folder);
  Result<void> add_link(std::string link);

  // By their paths from the workspace's root, or from that of the file system; with all that lies above them.
  std::map<std::string, Looked> take() { return std::move(looked_); }

 private:
  Result<std::string> follow(const std::string& folder);
  Result<bool> pass(const std::string& path);
  Result<void> keep(const std::string& path, const Looked& looked);

  Host& host_;
  const Workspace& workspace_;
  std::string root_ = {};  // where the workspace's leads
  std::map<std::string, Looked> looked_ = {};
  std::map<std::string, std::string> led_to_ = {};
};

}  // namespace trainmake
