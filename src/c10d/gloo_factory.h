// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "gradwire/c10d_group.h"

namespace gradwire {

/// MakeGlooBackend without a roll call: for ranks that are none of the job's. Throws Error.
c10::intrusive_ptr<c10d::Backend> ConnectGloo(const Membership& member, const std::string& prefix);

}  // namespace gradwire
