// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <system_error>
#include <thread>

#include "gradwire/error.h"

namespace gradwire {

/// What to throw where a thread could not be started, here or in a library: what this process has, what its limits are
/// and what to do. `purpose`: what the thread is for, after "a thread ".
Error NoMoreThreads(const std::string& purpose, const std::system_error& error);

/// A thread that runs `run`, or NoMoreThreads.
std::thread StartThread(const std::string& purpose, std::function<void()> run);

}  // namespace gradwire
