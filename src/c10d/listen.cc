// SPDX-License-Identifier: Apache-2.0
#include "c10d/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr int kBacklog = 2048;  // connections that wait to be accepted, as many as at torch's own server

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

/// The addresses to listen on: a numeric host's; all interfaces' where `host` is null; none for a name.
AddressList AddressesOf(const char* host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (getaddrinfo(host, std::to_string(port).c_str(), &hints, &list) != 0) list = nullptr;
  return {list, freeaddrinfo};
}

/// The socket; -1 with errno where that cannot be.
int ListenAt(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int yes = 1, no = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/// IPv6 first: on all interfaces it takes IPv4 as well.
int ListenAtAny(const addrinfo* list) {
  int fd = -1;
  for (const int family : {AF_INET6, AF_INET})
    for (const addrinfo* address = list; address != nullptr && fd < 0; address = address->ai_next) {
      if (address->ai_family != family) continue;
      fd = ListenAt(*address);
      if (fd < 0 && errno == EADDRINUSE) return -1;
    }
  return fd;
}

int Listen(const std::string& host, int port) {
  const AddressList own = AddressesOf(host.c_str(), port);
  int fd = own ? ListenAtAny(own.get()) : -1;
  const bool is_elsewhere = !own || (fd < 0 && errno == EADDRNOTAVAIL);  // a name, or behind a translated address
  if (is_elsewhere) fd = ListenAtAny(AddressesOf(nullptr, port).get());
  if (fd >= 0) return fd;
  const std::string where = "the job's store cannot listen on port " + std::to_string(port) + " of " + host;
  if (errno == EADDRINUSE)
    throw Error(where +
                ": the port is in use, by another job or another program; give this job a MASTER_PORT of its own");
  throw Error(where + " (" + std::strerror(errno) + ")");
}

uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

bool IsListening(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) return false;
  const AddressList owner(list, freeaddrinfo);
  for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool listens = fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen) == 0;
    if (fd >= 0) close(fd);
    if (listens) return true;
  }
  return false;
}

c10::intrusive_ptr<c10d::TCPStore> ServeStore(const std::string& host, int port, std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.isServer = true;
  options.waitWorkers = false;
  options.timeout = timeout;
  options.masterListenFd = Listen(host, port);
  options.port = PortOf(*options.masterListenFd);
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

}  // namespace gradwire
