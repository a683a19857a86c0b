// SPDX-License-Identifier: Apache-2.0
// The only unit that sees ProcessGroupGloo.hpp, over the stub headers of gloo_stub/. It returns plain Backends: code
// that used the class itself could inline calls into Gloo, which the stubs do not have.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <csignal>
#include <system_error>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "base/start_thread.h"
#include "gradwire/c10d_group.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

/// Gloo writes to sockets whose other end may be gone, and the signal of that ends a process without a word. Python
/// ignores it, a C++ program does not by itself. A handler of the program's own stays.
void IgnoreBrokenPipes() {
  struct sigaction now {};
  if (sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

c10::intrusive_ptr<c10d::Backend> MakeGlooBackend(const Membership& member, const std::string& prefix) {
  IgnoreBrokenPipes();
  try {
    auto options = c10d::ProcessGroupGloo::Options::create(member.timeout);
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(member.address));
    auto store = c10::make_intrusive<c10d::PrefixStore>(prefix, member.store);
    return c10::make_intrusive<c10d::ProcessGroupGloo>(store, member.rank, member.size, options);
  } catch (const std::system_error& error) {
    throw NoMoreThreads("of Gloo's", error);
  } catch (const std::exception& error) {
    throw Error("rank " + std::to_string(member.rank) + " could not connect to the other " +
                std::to_string(member.size - 1) + " ranks from " + member.address + " within " +
                std::to_string(member.timeout.count()) +
                " ms: are all ranks started, and do their hosts reach each other? (" + error.what() + ")");
  }
}

c10::intrusive_ptr<c10d::ProcessGroup> MakeGlooGroup(const Membership& member, const std::string& prefix) {
  auto store = c10::make_intrusive<c10d::PrefixStore>(prefix, member.store);
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, member.rank, member.size);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, MakeGlooBackend(member, prefix));
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  return group;
}

}  // namespace gradwire
