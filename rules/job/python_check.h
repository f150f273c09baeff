// Whether this machine's Python can read a file that a job would begin with: a bracket that is missing costs
// a second here, and a queue and a machine there. Knows nothing of what a job runs. Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "engine/base/hash.h"
#include "engine/base/host.h"

namespace trainmake {

class PythonCheck {
 public:
  explicit PythonCheck(Host& host) : host_(host) {}
  // "line 3: '(' was never closed"; "" when there is nothing to say, as where there is no Python.
  std::string complaint(const std::string& source);

 private:
  Host& host_;
  std::mutex mutex_;
  std::map<Digest128, std::string> known_;  // by what was read: jobs of a sweep begin with the same
};

}  // namespace trainmake
