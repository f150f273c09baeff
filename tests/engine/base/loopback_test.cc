#include "engine/base/loopback.h"

#include <gtest/gtest.h>

#include <set>

namespace trainmake {
namespace {

TEST(Loopback, EachNodeHasAnAddressOfItsOwn) {
  EXPECT_EQ(loopback_host(0), "127.0.0.1");
  EXPECT_EQ(loopback_host(253), "127.0.0.254");
  EXPECT_EQ(loopback_host(254), "127.0.1.1");
}

TEST(Loopback, PortsAreDifferentAlsoAtDifferentHosts) {
  const std::vector<std::string> hosts(40, "127.0.0.1");
  const auto ports = free_ports(hosts);
  ASSERT_TRUE(ports);
  EXPECT_EQ(std::set<int>(ports->begin(), ports->end()).size(), 40U);
  EXPECT_FALSE(free_ports({"nowhere"}));
}

}  // namespace
}  // namespace trainmake
