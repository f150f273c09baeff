// That what several images have in common, a layer of files or a step, is made by one of them, in this
// program or another. Thread rule: any thread.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>

#include "engine/base/file_lock.h"
#include "engine/base/host.h"

namespace trainmake {

class Making {
 public:
  Making(Host& host, const std::string& cache) : host_(host), cache_(cache) {}

  // Until it is gone nobody else makes what `memo` will tell of; who waited for it looks there again.
  // `on_wait` is called once when somebody else does.
  Result<FileLock> hold(const std::string& memo, const std::stop_token& stop,
                        const std::function<void()>& on_wait) const;
  // What several ask for afresh is made once by this program.
  bool has_made(const std::string& memo) const;
  void add(const std::string& memo);

 private:
  Host& host_;
  std::string cache_;
  mutable std::mutex mutex_;  // guards what follows
  std::set<std::string> made_;
};

}  // namespace trainmake
