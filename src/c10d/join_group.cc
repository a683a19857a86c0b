// SPDX-License-Identifier: Apache-2.0
#include "c10d/join_group.h"

#include <utility>
#include <vector>

#include "c10d/store_layers.h"

namespace gradwire {

GroupMembership JoinGroup(const Membership& of, RollCall& roll_call, std::span<const int> ranks, const Group& group,
                          const std::string& key) {
  Membership member = of;
  member.store_rank = -1;  // by its number in the job, which means another one here
  std::vector<std::string> prefixes;
  const auto base = BaseOf(of.store, prefixes);
  auto store = OtherConnection(member, base, of.timeout);
  if (!store) store = Bounded(member, base, of.timeout);
  prefixes.insert(prefixes.begin(), "group/" + key);
  member.store = WithPrefixes(std::move(store), prefixes);
  member.rank = PlaceOf(of.rank, ranks);
  member.size = static_cast<int>(ranks.size());
  return {member, roll_call.OfGroup(member, group, key)};
}

}  // namespace gradwire
