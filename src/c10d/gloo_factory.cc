// SPDX-License-Identifier: Apache-2.0
// The only unit that sees ProcessGroupGloo.hpp, over the stub headers of gloo_stub/. It returns plain Backends: code
// that used the class itself could inline calls into Gloo, which the stubs do not have.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "c10d/gloo_factory.h"

#include <csignal>
#include <system_error>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "base/start_thread.h"
#include "c10d/torch_error.h"
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

c10::intrusive_ptr<c10d::Backend> ConnectGloo(const Membership& member, const std::string& prefix) {
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
                " ms: are all ranks started, and do their hosts reach each other? (" + FirstLine(error) + ")");
  }
}

}  // namespace gradwire
