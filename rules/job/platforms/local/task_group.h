// The processes of one run, watched as one. What they print goes to one log; of several, with the name of who
// said it in front of each line. When one fails the others are ended, and servers are when they are the last.
// Knows neither folders nor contracts. Thread rule: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/child.h"
#include "engine/base/log_lines.h"
#include "engine/base/redactor.h"

namespace trainmake {

class TaskGroup {
 public:
  struct Member {
    std::string name;     // "" of the only one
    bool serves = false;  // until all that do not are done
    std::function<Result<Child>()> start;
    std::function<void(Child&)> ask;  // to end; again and again while it lives
  };
  using Log = std::function<void(std::string_view)>;

  // Starts all of them, or none goes on. `secrets` are hidden from the log.
  static Result<TaskGroup> start(const std::vector<Member>& members, const std::vector<std::string>& secrets,
                                 Log log);

  // Waits a while for output or ends. True while one of them lives. `now_ns` is of a steady clock.
  Result<bool> tend(std::int64_t now_ns, std::chrono::milliseconds time);
  // Asks all to end; those that do not are killed by a later `tend`.
  void ask_to_end(std::int64_t now_ns);
  // What those that ended left behind. True while some of it lives.
  bool reap_orphans();
  // Logs what is still in the pipes when all have ended.
  Result<void> finish(std::chrono::milliseconds time);

  // The end of the one that failed first, else of one that did not succeed when all were asked to end.
  struct End {
    ChildEnd end;
    std::string name;
  };
  End end() const;

 private:
  struct Running {
    std::string name;
    bool serves;
    std::function<void(Child&)> ask;
    Redactor redactor;
    LogLines lines;
    bool more = true;  // output may come
  };

  explicit TaskGroup(Log log) : log_(std::move(log)) {}
  Result<void> read(std::size_t which, std::chrono::milliseconds time);
  void print(Running& task, const std::string& bytes);
  void look_for_ends(std::int64_t now_ns);
  void press(std::size_t which, std::int64_t now_ns);
  void ask_all();

  Log log_;
  std::vector<Child> children_;
  std::vector<Running> tasks_;  // the same, by position
  std::optional<std::size_t> failed_;
  std::int64_t asked_ns_ = 0;          // all of them
  std::int64_t servers_asked_ns_ = 0;  // when the others were done
};

}  // namespace trainmake
