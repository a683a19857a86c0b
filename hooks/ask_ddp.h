// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "hooks/reducer_view.h"
#include "method/ask.h"

namespace gradwire {

/// What `comm.when` is asked about for these parameters of a Reducer, which may be null. Dense gradients on another
/// device than the CPU would be summed by the Reducer's own group: so is what is measured.
PaysJob JobOf(const NamedTensors& named, const std::shared_ptr<c10d::Reducer>& reducer);

}  // namespace gradwire
