// One process that is ours to watch: started in a group of its own with its output in a pipe, and gone when
// we go. The only place of fork and signals beside process.cc. Knows nothing of jobs.
// Thread rule: one thread, the one that started it; the kernel ties the child's life to that thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/descriptor.h"
#include "engine/base/enclosure.h"
#include "engine/base/error.h"

namespace trainmake {

// `folder` seen read-only at `at`, which is an empty folder. Where the kernel allows no mounts, `at` becomes
// a link to it.
struct ReadOnlyFolder {
  std::string folder;
  std::string at;
  friend bool operator==(const ReadOnlyFolder&, const ReadOnlyFolder&) = default;
};

// `folder` seen at `at`, another folder, and written to there, by this program and what it starts. Where the
// kernel allows no mounts (can_show), it is not started.
struct SeenFolder {
  std::string folder;
  std::string at;
  friend bool operator==(const SeenFolder&, const SeenFolder&) = default;
};
// REQUIRES: both are there.
bool can_show(const SeenFolder& seen);

struct ChildRequest {
  std::vector<std::string> arguments;              // [0] is looked up in the PATH of `environment`
  std::map<std::string, std::string> environment;  // all of it
  std::string folder;
  std::vector<ReadOnlyFolder> read_only;
  std::optional<Enclosure> enclosure = {};
  bool interactive = false;       // stdin, stdout and stderr are ours, and it is in our group: the terminal's
  bool keeps_open_files = false;  // those that this process was started with, beside the standard ones
  std::vector<SeenFolder> seen = {};
};

struct ChildEnd {
  int exit_code = 0;
  int signal = 0;  // not 0: ended by it
};

class Child {
 public:
  // stdin is empty; stdout and stderr are one pipe, unless it is interactive. An error when the program
  // cannot be run.
  static Result<Child> start(const ChildRequest& request);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();  // kills it while it runs, with its group if it has one of its own

  // Appends what comes within `time`, and returns early when the process ends. False once there will be no
  // more output.
  Result<bool> read(std::string& into, std::chrono::milliseconds time);
  // What `ended` found when it was asked last.
  std::optional<ChildEnd> end() const { return end_; }
  // An empty optional while it runs. What it left behind, also in its group, goes on: see reap_orphans.
  std::optional<ChildEnd> ended();
  void ask_to_end();  // SIGTERM to the group
  void kill();        // SIGKILL to the group
  // Waits until one of them printed or ended, or for `time`.
  static void await_any(const std::vector<Child>& children, std::chrono::milliseconds time);
  // Reaps what their descendants left to this process (adopt_orphans). True while one of them lives.
  // REQUIRES: this process has no other children.
  static bool reap_orphans(const std::vector<Child>& children);

 private:
  Child(int pid, bool leads_group, Descriptor pipe, Descriptor pidfd)
      : pid_(pid), leads_group_(leads_group), pipe_(std::move(pipe)), pidfd_(std::move(pidfd)) {}
  void send(int signal_number);

  int pid_;
  bool leads_group_;
  Descriptor pipe_;
  Descriptor pidfd_;  // of none where the kernel has no such thing
  std::optional<ChildEnd> end_;
};

// Ctrl-C, a closed terminal, a broken pipe and signals without a meaning no longer end this process, and
// SIGTERM sets a flag. Programs that it starts know nothing of that.
void outlive_the_terminal();
bool termination_asked();
// What a descendant leaves behind becomes a child of this process, whatever group or session it went to.
void adopt_orphans();
int process_id();

}  // namespace trainmake
