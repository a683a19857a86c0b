// SPDX-License-Identifier: Apache-2.0
#include "base/network_interface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using testing::HasSubstr;

/// What an error of FindLocalAddress says; empty where there is none.
std::string ErrorOf(const RankEnv& env) {
  try {
    FindLocalAddress(env);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

/// Interfaces between hosts need two hosts: network_namespaces_test.sh has them.
class NetworkInterface : public testing::Test {
 protected:
  NetworkInterface() { unsetenv("GLOO_SOCKET_IFNAME"); }
  ~NetworkInterface() override { unsetenv("GLOO_SOCKET_IFNAME"); }

  const RankEnv one_host_{.world_size = 2, .local_world_size = 2, .master_addr = "127.0.0.1", .master_port = 29500};
  const RankEnv two_hosts_{.world_size = 4, .local_world_size = 2, .master_addr = "127.0.0.1", .master_port = 29500};
};

TEST_F(NetworkInterface, LoopbackServesRanksOfOneHost) {
  const LocalAddress local = FindLocalAddress(one_host_);
  EXPECT_EQ(local.interface, "lo");
  EXPECT_EQ(local.address, "127.0.0.1");
  EXPECT_TRUE(local.loopback);
}

TEST_F(NetworkInterface, HostNamesAreResolved) {
  RankEnv env = one_host_;
  env.master_addr = "localhost";
  EXPECT_EQ(FindLocalAddress(env).interface, "lo");
}

TEST_F(NetworkInterface, LoopbackIsRefusedBetweenHosts) {
  EXPECT_THAT(ErrorOf(two_hosts_), HasSubstr("MASTER_ADDR '127.0.0.1' leads to the loopback address 127.0.0.1"));
  EXPECT_THAT(ErrorOf(two_hosts_), HasSubstr("WORLD_SIZE is 4, LOCAL_WORLD_SIZE 2"));
  EXPECT_THAT(ErrorOf(two_hosts_), HasSubstr("set GLOO_SOCKET_IFNAME"));
  EXPECT_THAT(ErrorOf(two_hosts_), HasSubstr("to lo if all ranks are on this host"));
}

TEST_F(NetworkInterface, LoopbackServesSeveralLaunchersOfOneHostWhereItIsNamed) {
  setenv("GLOO_SOCKET_IFNAME", "lo", 1);
  EXPECT_EQ(FindLocalAddress(two_hosts_).address, "127.0.0.1");
}

TEST_F(NetworkInterface, NamedInterfaceIsTakenWhereverMasterIs) {
  setenv("GLOO_SOCKET_IFNAME", "lo", 1);
  RankEnv env = one_host_;
  env.master_addr = "192.0.2.1";  // RFC 5737: an address of nobody
  EXPECT_EQ(FindLocalAddress(env).interface, "lo");
}

TEST_F(NetworkInterface, AnythingButOneInterfacesNameIsRefusedWithTheChoices) {
  for (const char* name : {"^lo", "lo,eth0", "=lo", "nosuch0", "127.0.0.1"}) {
    setenv("GLOO_SOCKET_IFNAME", name, 1);
    EXPECT_THAT(ErrorOf(one_host_), HasSubstr(std::string("GLOO_SOCKET_IFNAME: found '") + name + "', expected"));
    EXPECT_THAT(ErrorOf(one_host_), HasSubstr("lo (127.0.0.1)"));
  }
}

TEST_F(NetworkInterface, UnknownHostIsNamed) {
  RankEnv env = one_host_;
  env.master_addr = "no..host";
  EXPECT_THAT(ErrorOf(env), HasSubstr("MASTER_ADDR: 'no..host' cannot be resolved"));
}

}  // namespace
}  // namespace gradwire
