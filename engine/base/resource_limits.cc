#include "engine/base/resource_limits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "engine/base/descriptor.h"
#include "engine/base/process_table.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kTop = "/sys/fs/cgroup";
constexpr std::string_view kPrefix = "trainmake-";  // of groups of ours: `trainmake-PID-NAME`
constexpr std::uint64_t kPeriodUs = 100'000;
constexpr const char* kByGroup = "a cgroup";
constexpr const char* kByProcess = "a limit of each process";

// Not by renaming, which these files do not know.
bool write_into(const std::string& path, std::string_view text) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && retried([&] { return write(file.get(), text.data(), text.size()); }) ==
                     static_cast<ssize_t>(text.size());
}

void sweep(FileSystem& files, const std::string& folder) {
  const auto entries = files.list(folder);
  for (const FolderEntry& entry : entries ? *entries : std::vector<FolderEntry>()) {
    if (!entry.name.starts_with(kPrefix)) continue;
    const std::string rest = entry.name.substr(kPrefix.size());
    const auto owner = whole_number<int>(rest.substr(0, rest.find('-')));
    if (owner && !find_process(files, *owner)) rmdir(path_join(folder, entry.name).c_str());
  }
}

}  // namespace

std::string own_cgroup_name(std::string_view name) { return cat(kPrefix, getpid(), "-", name); }

void sweep_cgroups(FileSystem& files) {
  const auto self = read_file(files, "/proc/self/cgroup");
  for (const std::string& line : split(self ? *self : "", '\n')) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    for (const CgroupPlace& place : cgroup_places(line, controllers.substr(0, controllers.find(',')))) {
      for (const std::string& folder : {place.folder, place.own}) {
        sweep(files, folder);
        // Where there are both hierarchies.
        if (place.is_unified) sweep(files, cat(kTop, "/unified", folder.substr(kTop.size())));
      }
    }
  }
}

std::vector<CgroupPlace> cgroup_places(std::string_view proc_self_cgroup, std::string_view controller) {
  std::vector<CgroupPlace> places;
  for (const std::string& line : split(proc_self_cgroup, '\n')) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::vector<std::string> controllers = split(line.substr(first + 1, second - first - 1), ',');
    const std::string path = line.substr(second + 1);
    const bool is_unified = line.starts_with("0::");
    const bool has = std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
    if (is_unified) {
      // Beside its own: one with processes in it hands no controllers on.
      const std::string own = cat(kTop, path == "/" ? "" : path);
      places.push_back({path == "/" ? own : std::string(path_folder(own)), own, true});
    } else if (has) {
      const std::string own = cat(kTop, "/", join(controllers, ","), path == "/" ? "" : path);
      places.push_back({own, own, false});
    }
  }
  return places;
}

std::uint64_t oom_kills_of(std::string_view text) {
  constexpr std::string_view kWord = "oom_kill ";
  for (const std::string& line : split(text, '\n')) {
    if (line.starts_with(kWord))
      return whole_number<std::uint64_t>(trim(line.substr(kWord.size()))).value_or(0);
  }
  return 0;
}

LimitedResources::LimitedResources(FileSystem& files, const ResourceLimits& limits, const std::string& name)
    : files_(files), limits_(limits) {
  if (limits.memory_bytes > 0) {
    const std::string bytes = cat(limits.memory_bytes);
    memory_by_ = make_group("memory", name, {"memory.max", "memory.limit_in_bytes"}, {bytes, bytes})
                     ? kByGroup
                     : kByProcess;
  }
  if (limits.cpus > 0) {
    const auto quota = static_cast<std::uint64_t>(std::ceil(limits.cpus * static_cast<double>(kPeriodUs)));
    cpus_by_ =
        make_group("cpu", name, {"cpu.max", "cpu.cfs_quota_us"}, {cat(quota, " ", kPeriodUs), cat(quota)})
            ? kByGroup
            : kByProcess;
  }
}

// `controls` and `values` are of a unified hierarchy, and of one of its own.
bool LimitedResources::make_group(const std::string& controller, const std::string& name,
                                  const std::vector<std::string>& controls,
                                  const std::vector<std::string>& values) {
  const auto self = read_file(files_, "/proc/self/cgroup");
  if (!self) return false;
  for (const CgroupPlace& place : cgroup_places(*self, controller)) {
    const std::size_t which = place.is_unified ? 0 : 1;
    const std::string folder = path_join(place.folder, own_cgroup_name(name));
    sweep(files_, place.folder);
    const bool is_ours = std::any_of(groups_.begin(), groups_.end(),
                                     [&](const Group& group) { return group.folder == folder; });
    if (!is_ours && mkdir(folder.c_str(), 0755) != 0) continue;
    if (write_into(path_join(folder, controls[which]), values[which])) {
      if (!is_ours) groups_.push_back({folder, place});
      return true;
    }
    if (!is_ours) rmdir(folder.c_str());
  }
  return false;
}

LimitedResources::~LimitedResources() {
  for (const Group& group : groups_) rmdir(group.folder.c_str());
}

bool LimitedResources::ran_out_of_memory() const {
  return std::any_of(groups_.begin(), groups_.end(), [&](const Group& group) {
    const char* name = group.place.is_unified ? "memory.events" : "memory.oom_control";
    const auto text = read_file(files_, path_join(group.folder, name));
    return text && oom_kills_of(*text) > 0;
  });
}

LimitedResources::Scope::Scope(const LimitedResources& resources) : resources_(resources) {
  for (const Group& group : resources.groups_) write_into(path_join(group.folder, "cgroup.procs"), "0");
  getrlimit(RLIMIT_DATA, &data_);
  sched_getaffinity(0, sizeof cpus_, &cpus_);
  if (resources.memory_by_ == kByProcess) {
    rlimit less = data_;
    less.rlim_cur = std::min<rlim_t>(data_.rlim_max, resources.limits_.memory_bytes);
    setrlimit(RLIMIT_DATA, &less);
  }
  if (resources.cpus_by_ != kByProcess) return;
  // Some of those that there are, others each time.
  const int all = CPU_COUNT(&cpus_), wanted = static_cast<int>(std::ceil(resources.limits_.cpus));
  cpu_set_t some;
  CPU_ZERO(&some);
  int seen = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &cpus_)) continue;
    if ((seen++ - getpid() % all + all) % all < wanted) CPU_SET(cpu, &some);
  }
  sched_setaffinity(0, sizeof some, &some);
}

LimitedResources::Scope::~Scope() {
  sched_setaffinity(0, sizeof cpus_, &cpus_);
  setrlimit(RLIMIT_DATA, &data_);
  for (const Group& group : resources_.groups_) write_into(path_join(group.place.own, "cgroup.procs"), "0");
}

}  // namespace trainmake
