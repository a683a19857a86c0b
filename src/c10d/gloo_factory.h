// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <string>

#include "c10d/roll_call.h"
#include "gradwire/c10d_group.h"

namespace gradwire {

/// MakeGlooBackend without a roll call: for ranks that are none of the job's. Throws Error.
c10::intrusive_ptr<c10d::Backend> ConnectGloo(const Membership& member, const std::string& prefix);

/// MakeGlooBackend with this roll call, and an Error soon after `stop`. `member`'s store is bounded.
c10::intrusive_ptr<c10d::Backend> MeetOverGloo(const Membership& member, const std::string& prefix, RollCall& roll_call,
                                               const std::stop_token& stop);

}  // namespace gradwire
