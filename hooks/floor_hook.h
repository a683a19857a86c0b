// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include <torch/csrc/distributed/c10d/comm.hpp>

namespace gradwire {

/// A hook that returns the bucket untouched: what DDP costs without any exchange. For benchmarks.
std::unique_ptr<c10d::CommHookInterface> MakeFloorHook();

}  // namespace gradwire
