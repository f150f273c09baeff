// What processes may use of this machine: memory and processors, by cgroups of their own where this user may
// make some, else by limits that each process inherits. Whatever is started within a Scope has them, and all
// that it starts. Knows nothing of jobs. Thread rule: takes the whole process.
#pragma once

#include <sched.h>
#include <sys/resource.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_system.h"

namespace trainmake {

struct ResourceLimits {
  std::uint64_t memory_bytes = 0;  // 0: no limit
  double cpus = 0;                 // 0: no limit
};

// Where cgroups of this process lie: what /proc/self/cgroup says, as folders below /sys/fs/cgroup that have a
// controller (`memory`, `cpu`). Pure. The first that works is taken.
struct CgroupPlace {
  std::string folder;  // that a new one may be made in
  std::string own;     // this process's
  bool is_unified = true;
  friend bool operator==(const CgroupPlace&, const CgroupPlace&) = default;
};
std::vector<CgroupPlace> cgroup_places(std::string_view proc_self_cgroup, std::string_view controller);
// `trainmake-PID-NAME`, of this process, by which whose it is can be told when that was killed.
std::string own_cgroup_name(std::string_view name);
// Removes empty ones that such processes left in this process's cgroups.
void sweep_cgroups(FileSystem& files);
// Of `memory.events` or `memory.oom_control`: how many were killed for want of memory.
std::uint64_t oom_kills_of(std::string_view text);

class LimitedResources {
 public:
  // `name` is nobody else's. What cannot be had by a cgroup is limited the other way.
  LimitedResources(FileSystem& files, const ResourceLimits& limits, const std::string& name);
  // REQUIRES: all that was started within is gone.
  ~LimitedResources();
  LimitedResources(const LimitedResources&) = delete;
  LimitedResources& operator=(const LimitedResources&) = delete;

  class Scope;
  // Whether the kernel ended one of them for want of memory; false where no cgroup can tell.
  bool ran_out_of_memory() const;
  // "a cgroup", "a limit of each process": by which memory and cpus are held, or "" of no limit.
  const std::string& memory_by() const { return memory_by_; }
  const std::string& cpus_by() const { return cpus_by_; }

 private:
  struct Group {
    std::string folder;
    CgroupPlace place;
  };
  bool make_group(const std::string& controller, const std::string& name,
                  const std::vector<std::string>& controls, const std::vector<std::string>& values);

  FileSystem& files_;
  ResourceLimits limits_;
  std::string memory_by_, cpus_by_;
  std::vector<Group> groups_;
};

// While it lasts this process itself has the limits.
class LimitedResources::Scope {
 public:
  explicit Scope(const LimitedResources& resources);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  const LimitedResources& resources_;
  rlimit data_{};
  cpu_set_t cpus_{};
};

}  // namespace trainmake
