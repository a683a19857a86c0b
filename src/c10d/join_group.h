// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>

#include "c10d/roll_call.h"

namespace gradwire {

/// What a group of some ranks is made of.
struct GroupMembership {
  Membership member;
  std::shared_ptr<RollCall> roll_call;
};

/// The membership of rank `of` in a group with the others that call this with the same `key`: nothing is waited for but
/// the store. It is reached over a connection of the group's own: what one group waits for there may come after what
/// another one brings. Throws PeerError where it does not answer.
GroupMembership JoinGroup(const Membership& of, RollCall& roll_call, std::span<const int> ranks, const Group& group,
                          const std::string& key);

}  // namespace gradwire
