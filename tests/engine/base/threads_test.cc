#include "engine/base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace trainmake {
namespace {

TEST(Threads, ThereIsAtLeastOneProcessor) { EXPECT_GE(processor_count(), 1U); }

TEST(Threads, APoolDoesAllItWasGivenBeforeItGoes) {
  std::atomic<int> done = 0;
  {
    WorkerPool pool(3);
    for (int i = 0; i < 100; ++i) pool.run([&] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

TEST(Threads, APoolOfOneKeepsTheOrder) {
  std::vector<int> order;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 50; ++i) pool.run([&order, i] { order.push_back(i); });
  }
  for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(Threads, APoolRunsAsManyAtOnceAsItHasThreads) {
  std::latch all_there(3);
  WorkerPool pool(3);
  for (int i = 0; i < 3; ++i) pool.run([&] { all_there.arrive_and_wait(); });
  all_there.wait();
}

TEST(Threads, AParallelLoopVisitsEachIndexOnce) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    std::vector<std::atomic<int>> visits(count);
    parallel_for(count, 3, 4, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) ++visits[i];
    });
    for (const auto& visit : visits) EXPECT_EQ(visit, 1);
  }
}

TEST(Threads, ASmallLoopStaysOnItsThread) {
  const auto caller = std::this_thread::get_id();
  parallel_for(5, 10, 4, [&](std::size_t begin, std::size_t end) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(end - begin, 5U);
  });
}

TEST(Threads, AChannelKeepsOrderAndGivesUpAfterItsTime) {
  Channel<std::string> channel;
  channel.send("a");
  channel.send("b");
  EXPECT_EQ(channel.receive(std::chrono::milliseconds(0)), "a");
  EXPECT_EQ(channel.receive(std::chrono::milliseconds(0)), "b");
  EXPECT_EQ(channel.receive(std::chrono::milliseconds(1)), std::nullopt);
}

}  // namespace
}  // namespace trainmake
