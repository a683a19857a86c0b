// SPDX-License-Identifier: Apache-2.0
#include "train/bench/hosts.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

constexpr const char* kPrefix = "gradwire-bench-";
constexpr const char* kHub = "hub";

/// A command of ip or tc, and what it said where it failed.
struct Said {
  int status;
  std::string text;
};

Said Run(const std::string& command) {
  const std::string line = "PATH=$PATH:/usr/sbin:/sbin; trap '' INT TERM HUP; exec " + command + " 2>&1";
  FILE* pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) throw Error("bench: cannot start " + command);
  std::string text;
  char buffer[512];
  while (const size_t n = fread(buffer, 1, sizeof(buffer), pipe)) text.append(buffer, n);
  const int status = pclose(pipe);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return {status, text};
}

void Must(const std::string& command, const std::string& expected) {
  const Said said = Run(command);
  if (said.status != 0)
    throw Error(fmt::format("bench: --rate: `{}` failed: {}; expected {}; or leave --rate out, for loopback", command,
                            said.text, expected));
}

constexpr const char* kRoot = "root with CAP_SYS_ADMIN and CAP_NET_ADMIN";

/// Namespaces of ours whose process is no more.
void RemoveOrphans() {
  std::istringstream lines(Run("ip netns list").text);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(' '));
    if (!name.starts_with(kPrefix)) continue;
    const int pid = std::atoi(name.c_str() + std::string_view(kPrefix).size());
    if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH) Run("ip netns delete " + name);
  }
}

void CheckTools() {
  if (geteuid() != 0)
    throw Error(
        fmt::format("bench: --rate makes hosts of network namespaces, for which this process must be {}; "
                    "or leave --rate out, for loopback",
                    kRoot));
  for (const char* tool : {"ip", "tc"})
    if (FindProgram(tool).empty())
      throw Error(
          fmt::format("bench: --rate needs the program {}, which is not there; expected Debian's package iproute2; "
                      "or leave --rate out, for loopback",
                      tool));
}

std::string Shape(double bits_per_s) {
  return fmt::format("root tbf rate {:.0f}bit burst {} latency 50ms", bits_per_s, Hosts::BurstBytes(bits_per_s));
}

}  // namespace

std::string FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path ? path : "") + ":/usr/sbin:/sbin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = folder + "/" + name;
    if (!folder.empty() && access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

size_t Hosts::BurstBytes(double bits_per_s) {
  constexpr double kTick_s = 0.5e-3;  // that a busy machine's timers may be late by
  return std::max<size_t>(128 * 1024, static_cast<size_t>(bits_per_s / 8 * kTick_s));
}

Hosts::Hosts(int count, double bits_per_s) {
  CheckTools();
  RemoveOrphans();
  try {
    Make(count, bits_per_s);
  } catch (...) {
    Remove();
    throw;
  }
}

Hosts::~Hosts() { Remove(); }

std::string Hosts::name(int host) const { return fmt::format("{}{}-{}", kPrefix, getpid(), host); }

std::string Hosts::address(int host) const { return fmt::format("10.79.0.{}", host + 1); }

std::vector<std::string> Hosts::prefix(int host) const {
  return {FindProgram("ip"),          "netns", "exec", name(host), "env", fmt::format("GLOO_SOCKET_IFNAME={}", kDevice),
          "TORCH_CPP_LOG_LEVEL=ERROR"};  // these hosts have no names, which c10d would warn of
}

void Hosts::Make(int count, double bits_per_s) {
  const auto add = [&](const std::string& space) {
    Must("ip netns add " + space, kRoot);
    made_.push_back(space);
  };
  const std::string shaped = "a kernel with tbf (CONFIG_NET_SCH_TBF)";
  for (int host = 0; host < count; ++host) add(name(host));
  const std::string hub = fmt::format("{}{}-{}", kPrefix, getpid(), kHub);
  if (count == 2) {
    Must(fmt::format("ip -n {} link add {} type veth peer name {} netns {}", name(0), kDevice, kDevice, name(1)),
         "a kernel with veth");
  } else {
    add(hub);
    Must(fmt::format("ip -n {} link add bridge0 type bridge", hub), "a kernel with bridges");
    Must(fmt::format("ip -n {} link set bridge0 up", hub), kRoot);
    for (int host = 0; host < count; ++host) Join(host, fmt::format("port{}", host), hub);
    for (int host = 0; host < count; ++host)
      Must(fmt::format("tc -n {} qdisc add dev port{} {}", hub, host, Shape(bits_per_s)), shaped);
  }
  for (int host = 0; host < count; ++host) {
    const std::string in = "ip -n " + name(host);
    Must(fmt::format("{} address add {}/24 dev {}", in, address(host), kDevice), kRoot);
    for (const char* device : {"lo", kDevice}) Must(fmt::format("{} link set {} up", in, device), kRoot);
    Must(fmt::format("{} route replace 10.79.0.0/24 dev {} src {} congctl cubic", in, kDevice, address(host)),
         "a kernel with TCP's cubic");
    Must(fmt::format("tc -n {} qdisc add dev {} {}", name(host), kDevice, Shape(bits_per_s)), shaped);
  }
}

void Hosts::Join(int host, const std::string& peer, const std::string& peer_namespace) {
  Must(fmt::format("ip -n {} link add {} type veth peer name {} netns {}", name(host), kDevice, peer, peer_namespace),
       "a kernel with veth");
  Must(fmt::format("ip -n {} link set {} master bridge0", peer_namespace, peer), kRoot);
  Must(fmt::format("ip -n {} link set {} up", peer_namespace, peer), kRoot);
}

void Hosts::Remove() {
  for (const std::string& space : made_) Run("ip netns delete " + space);
  made_.clear();
}

}  // namespace gradwire::train
