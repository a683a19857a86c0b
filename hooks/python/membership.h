// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gradwire/c10d_group.h"

namespace gradwire {

/// The membership of a rank in a group of the job. An agent serves the store, or the job's rank 0, whose rank in a
/// smaller group this does not know. `world_size`, `local_world_size`: of the job.
Membership MembershipOf(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, int world_size,
                        int local_world_size, double timeout_s);

}  // namespace gradwire
