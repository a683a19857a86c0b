// SPDX-License-Identifier: Apache-2.0
#include "base/network_interface.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

/// Numeric; an IPv6 link-local address keeps its %interface.
std::string AddressText(const sockaddr* address) {
  const socklen_t size = address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  char text[NI_MAXHOST];
  return getnameinfo(address, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 ? text : "";
}

/// By the address, not by the interface: routers' hosts carry addresses on lo that others do reach.
bool IsLoopback(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

/// Every IPv4 and IPv6 address of this host, IPv4 first.
std::vector<LocalAddress> LocalAddresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) throw Error(fmt::format("cannot list the network interfaces: {}", std::strerror(errno)));
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  std::vector<LocalAddress> addresses;
  for (const int family : {AF_INET, AF_INET6})
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next)
      if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == family)
        addresses.push_back({entry->ifa_name, AddressText(entry->ifa_addr), IsLoopback(entry->ifa_addr)});
  return addresses;
}

std::string Choices(const std::vector<LocalAddress>& locals) {
  std::vector<std::string> texts;
  for (const LocalAddress& local : locals) texts.push_back(fmt::format("{} ({})", local.interface, local.address));
  return fmt::format("{}", fmt::join(texts, ", "));
}

LocalAddress NamedAddress(const std::string& name, const std::vector<LocalAddress>& locals) {
  const auto has_name = [&](const LocalAddress& local) { return local.interface == name; };
  const auto found = std::find_if(locals.begin(), locals.end(), has_name);
  if (found != locals.end()) return *found;
  throw ConfigError(
      fmt::format("environment: GLOO_SOCKET_IFNAME: found '{}', expected the name of one interface that "
                  "has an address, not a list or a pattern; this host has {}",
                  name, Choices(locals)));
}

/// The address that a socket to `peer` gets; empty (errno says why) where no route leads there.
/// Connecting a UDP socket picks the route and sends nothing.
std::string SourceAddress(const addrinfo& peer) {
  const int fd = socket(peer.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "";
  sockaddr_storage source{};
  socklen_t size = sizeof source;
  const bool found = connect(fd, peer.ai_addr, peer.ai_addrlen) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&source), &size) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  return found ? AddressText(reinterpret_cast<const sockaddr*>(&source)) : "";
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList Resolve(const RankEnv& env) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(env.master_addr.c_str(), std::to_string(env.master_port).c_str(), &hints, &list);
  if (error != 0)
    throw ConfigError(
        fmt::format("environment: MASTER_ADDR: '{}' cannot be resolved ({}); expected a host name or an "
                    "address of the host of rank 0",
                    env.master_addr, gai_strerror(error)));
  return {list, freeaddrinfo};
}

/// The first of MASTER_ADDR's addresses that is routed decides; loopback ones come last, since a host's own name is
/// often 127.0.1.1 in its /etc/hosts. Matched by address: the route from a host to itself is over lo.
LocalAddress RoutedAddress(const RankEnv& env, const std::vector<LocalAddress>& locals) {
  const AddressList peers = Resolve(env);
  std::optional<LocalAddress> loopback;
  int error = 0;
  for (const addrinfo* peer = peers.get(); peer != nullptr; peer = peer->ai_next) {
    const std::string source = SourceAddress(*peer);
    if (source.empty()) error = errno;
    for (const LocalAddress& local : locals) {
      if (local.address != source) continue;
      if (!local.loopback) return local;
      loopback = local;
    }
  }
  if (loopback) return *loopback;
  throw ConfigError(
      fmt::format("no interface routes to MASTER_ADDR '{}' ({}); expected one: set GLOO_SOCKET_IFNAME to that of {}",
                  env.master_addr, std::strerror(error), Choices(locals)));
}

}  // namespace

LocalAddress FindLocalAddress(const RankEnv& env) {
  const std::vector<LocalAddress> locals = LocalAddresses();
  const char* name = std::getenv("GLOO_SOCKET_IFNAME");
  const bool is_named = name != nullptr && *name != '\0';
  const LocalAddress local = is_named ? NamedAddress(name, locals) : RoutedAddress(env, locals);
  if (!local.loopback || is_named || env.world_size == env.local_world_size) return local;
  throw ConfigError(fmt::format(
      "environment: MASTER_ADDR '{}' leads to the loopback address {}, which ranks on other hosts cannot reach "
      "(WORLD_SIZE is {}, LOCAL_WORLD_SIZE {}): set GLOO_SOCKET_IFNAME to the interface that faces them (to {} if all "
      "ranks are on this host, by several launchers), or MASTER_ADDR to an address that they reach; this host has {}",
      env.master_addr, local.address, env.world_size, env.local_world_size, local.interface, Choices(locals)));
}

}  // namespace gradwire
