// The processes of this machine, and signals that reach the one that was meant.
#include "engine/base/process_table.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/host.h"
#include "engine/base/text.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

std::string stat_of(int number, const std::string& name, char state, int parent, int session, int birth) {
  return cat(number, " (", name, ") ", std::string(1, state), " ", parent, " 9 ", session,
             " 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 ", birth, " 5349376 200\n");
}

void add(FileSystem& files, int number, const std::string& stat, const std::string& environment = "") {
  ASSERT_TRUE(write_file(files, cat("/proc/", number, "/stat"), stat));
  ASSERT_TRUE(write_file(files, cat("/proc/", number, "/environ"), environment));
}

TEST(ProcessTable, AProcessMayHaveAnyName) {
  const Process expected{12, 3, 10, 777};
  EXPECT_EQ(parse_process(stat_of(12, "sh", 'S', 3, 10, 777)), expected);
  EXPECT_EQ(parse_process(stat_of(12, "a) Z 1 (b", 'R', 3, 10, 777)), expected);
}

TEST(ProcessTable, OneThatIsOverIsNone) {
  EXPECT_FALSE(parse_process(stat_of(12, "sh", 'Z', 3, 10, 777)));
  EXPECT_FALSE(parse_process(stat_of(12, "sh", 'X', 3, 10, 777)));
}

TEST(ProcessTable, WhatIsCutShortIsNone) {
  const std::string stat = stat_of(12, "sh", 'S', 3, 10, 777);
  for (const std::size_t size : {0U, 2U, 5U, 8U, 30U})
    EXPECT_FALSE(parse_process(stat.substr(0, size))) << size;
}

TEST(ProcessTable, ListsWhatLives) {
  MemFileSystem files;
  add(files, 1, stat_of(1, "init", 'S', 0, 1, 5));
  add(files, 20, stat_of(20, "gone", 'Z', 1, 20, 6));
  add(files, 21, stat_of(21, "sh", 'S', 1, 20, 7));
  ASSERT_TRUE(write_file(files, "/proc/uptime", "1 1\n"));
  EXPECT_EQ(living_processes(files).value(), (std::vector<Process>{{1, 0, 1, 5}, {21, 1, 20, 7}}));
  EXPECT_EQ(find_process(files, 21), (Process{21, 1, 20, 7}));
  EXPECT_FALSE(find_process(files, 20));
  EXPECT_FALSE(find_process(files, 22));
}

TEST(ProcessTable, AnEnvironmentIsItsLinesThatAreSettings) {
  MemFileSystem files;
  add(files, 7, "", std::string("A=1\0B=x y\0\0", 11));
  add(files, 8, "", std::string("trainer: step 3\0\0\0\0", 19));
  EXPECT_EQ(environment_of(files, {7, 1, 7, 1}), (std::vector<std::string>{"A=1", "B=x y"}));
  EXPECT_EQ(environment_of(files, {8, 1, 8, 1}), std::vector<std::string>());
  EXPECT_EQ(environment_of(files, {9, 1, 9, 1}), std::nullopt);
}

TEST(ProcessTable, DescendantsAreFoundInAnyOrder) {
  const Process top{5, 1, 5, 1}, child{4, 5, 5, 2}, grandchild{3, 4, 3, 3}, other{2, 1, 2, 1};
  EXPECT_EQ(with_descendants({other, grandchild, child, top}, {top}),
            (std::vector<Process>{top, child, grandchild}));
}

TEST(ProcessTable, FindsThisProcess) {
  const std::optional<Process> self = find_process(real_file_system(), ::getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(self->parent, ::getppid());
  EXPECT_EQ(self->session, ::getsid(0));
  EXPECT_NE(boot_of(real_file_system()), "");
}

TEST(ProcessTable, ABootIsThatOfOneContainer) {
  MemFileSystem files;
  EXPECT_EQ(boot_of(files), "");
  ASSERT_TRUE(write_file(files, "/proc/sys/kernel/random/boot_id", "a-b\n"));
  EXPECT_EQ(boot_of(files), "a-b");
  ASSERT_TRUE(files.make_folder("/proc/self/ns"));
  ASSERT_TRUE(files.make_link("pid:[7]", "/proc/self/ns/pid"));
  EXPECT_EQ(boot_of(files), "a-b/pid:[7]");
  EXPECT_TRUE(is_this_boot(files, "a-b/pid:[7]"));
  EXPECT_TRUE(is_this_boot(files, "a-b")) << "as it was written before containers were told apart";
  for (const char* other : {"", "a", "a-c", "a-b/pid:[8]"}) EXPECT_FALSE(is_this_boot(files, other)) << other;
}

TEST(ProcessTable, NoBootIsTheUnknownOne) {
  MemFileSystem files;
  EXPECT_FALSE(is_this_boot(files, ""));
}

TEST(Signals, ReachOnlyTheProcessThatWasMeant) {
  const int child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  const std::optional<Process> process = find_process(real_file_system(), child);
  ASSERT_TRUE(process);
  Process earlier = *process;
  --earlier.birth;
  EXPECT_FALSE(real_processes().send(earlier, Signal::kKill).value()) << "its number is another's by now";
  EXPECT_TRUE(find_process(real_file_system(), child));
  EXPECT_TRUE(real_processes().send(*process, Signal::kKill).value());
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(real_processes().send(*process, Signal::kKill).value());
}

}  // namespace
}  // namespace trainmake
