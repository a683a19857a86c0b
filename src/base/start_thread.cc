// SPDX-License-Identifier: Apache-2.0
#include "base/start_thread.h"

#include <sys/resource.h>

#include <fstream>
#include <utility>

#include <fmt/format.h>

namespace gradwire {
namespace {

/// A line of /proc/self/status, e.g. "812" or "13671348 kB"; "?" where there is none.
std::string Status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":")) {
      const size_t begin = line.find_first_not_of(" \t", name.size() + 1);
      return begin == std::string::npos ? "?" : line.substr(begin);
    }
  return "?";
}

/// A limit of this process in units of `unit`, as `ulimit` prints it.
std::string Limit(decltype(RLIMIT_AS) resource, rlim_t unit) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return "?";
  return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : fmt::format("{}", limit.rlim_cur / unit);
}

}  // namespace

Error NoMoreThreads(const std::string& purpose, const std::system_error& error) {
  return Error(fmt::format(
      "cannot start a thread {}: {}. This process has {} threads and {} of address space; its limits are {} "
      "threads of the user (ulimit -u) and {} kB of address space (ulimit -v), and a container may have "
      "others (pids.max). Raise the one that ran out, or start fewer processes on this machine",
      purpose, error.code().message(), Status("Threads"), Status("VmSize"), Limit(RLIMIT_NPROC, 1),
      Limit(RLIMIT_AS, 1024)));
}

std::thread StartThread(const std::string& purpose, std::function<void()> run) {
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    throw NoMoreThreads(purpose, error);
  }
}

}  // namespace gradwire
