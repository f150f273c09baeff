#include "engine/base/resource_limits.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

TEST(ResourceLimits, AGroupLiesBesideOursInAUnifiedHierarchy) {
  EXPECT_EQ(cgroup_places("0::/user.slice/user-7.slice/user@7.service/app.slice/a.scope\n", "memory"),
            (std::vector<CgroupPlace>{
                {"/sys/fs/cgroup/user.slice/user-7.slice/user@7.service/app.slice",
                 "/sys/fs/cgroup/user.slice/user-7.slice/user@7.service/app.slice/a.scope", true}}));
  EXPECT_EQ(cgroup_places("0::/\n", "cpu"),
            (std::vector<CgroupPlace>{{"/sys/fs/cgroup", "/sys/fs/cgroup", true}}));
}

TEST(ResourceLimits, AGroupLiesInOursWhereAControllerHasAHierarchyOfItsOwn) {
  const char* text = "12:cpu,cpuacct:/\n4:memory:/jobs/1\n1:name=systemd:/\n0::/\n";
  EXPECT_EQ(cgroup_places(text, "memory").front(),
            (CgroupPlace{"/sys/fs/cgroup/memory/jobs/1", "/sys/fs/cgroup/memory/jobs/1", false}));
  EXPECT_EQ(cgroup_places(text, "cpu").front(),
            (CgroupPlace{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", false}));
}

TEST(ResourceLimits, KillsAreReadFromEitherFile) {
  EXPECT_EQ(oom_kills_of("low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\noom_group_kill 0\n"), 2U);
  EXPECT_EQ(oom_kills_of("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3U);
  EXPECT_EQ(oom_kills_of(""), 0U);
}

TEST(ResourceLimits, WithoutAnyNothingIsMade) {
  const LimitedResources none(real_file_system(), {}, "test");
  EXPECT_EQ(none.memory_by(), "");
  EXPECT_EQ(none.cpus_by(), "");
  EXPECT_FALSE(none.ran_out_of_memory());
}

TEST(ResourceLimits, OfEachProcessGoWithTheirScope) {
  rlimit before{}, within{}, after{};
  getrlimit(RLIMIT_DATA, &before);
  const LimitedResources limited(real_file_system(), {std::uint64_t{1} << 40U, 0}, "test");
  {
    const LimitedResources::Scope scope(limited);
    getrlimit(RLIMIT_DATA, &within);
  }
  getrlimit(RLIMIT_DATA, &after);
  EXPECT_EQ(before.rlim_cur, after.rlim_cur);
  EXPECT_EQ(within.rlim_cur == before.rlim_cur, limited.memory_by() == "a cgroup");
}

TEST(ResourceLimits, AGroupGoesWhenWhoeverMadeItIsGone) {
  const std::string name = own_cgroup_name("left");
  EXPECT_EQ(name, cat("trainmake-", getpid(), "-left"));
  std::vector<std::string> living, left;
  for (const char* controller : {"memory", "pids"}) {
    const auto self = read_file(real_file_system(), "/proc/self/cgroup");
    for (const CgroupPlace& place : cgroup_places(*self, controller)) {
      for (const std::string& folder :
           {path_join(place.own, name), path_join(place.own, "trainmake-1073741824-left")})
        if (mkdir(folder.c_str(), 0755) == 0) (folder.ends_with(name) ? living : left).push_back(folder);
    }
  }
  if (left.empty()) GTEST_SKIP() << "no cgroup can be made here";
  sweep_cgroups(real_file_system());
  for (const std::string& folder : left) EXPECT_NE(rmdir(folder.c_str()), 0) << folder;
  for (const std::string& folder : living) EXPECT_EQ(rmdir(folder.c_str()), 0) << folder;
}

}  // namespace
}  // namespace trainmake
