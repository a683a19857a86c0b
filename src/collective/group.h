// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

namespace gradwire {

/// Who the ranks of a collective are: all of a job, or a group of them.
struct Group {
  std::string name = {};        ///< empty: the job itself
  std::vector<int> ranks = {};  ///< of the job, by the group's rank; of the job itself none

  bool is_job() const { return ranks.empty(); }

  /// "rank 1", and of a group "rank 1 of box 0 (rank 3 of the job)".
  std::string NameRank(int rank) const;
  /// "ranks 0, 1", and of a group "ranks 0, 1 of box 0 (ranks 2, 3 of the job)".
  std::string NameRanks(const std::vector<int>& ranks) const;

  /// The group of `some` of this one's `size` ranks, of which the caller is `own`. Throws Error unless they ascend, are
  /// there, and include it.
  Group Narrow(std::span<const int> some, int size, int own, const std::string& name) const;
};

/// The place of `rank` in `ranks`, which has it.
int PlaceOf(int rank, std::span<const int> ranks);

/// The same text for the same ranks and name at all members, and another one for other ones, or each further `time`.
std::string GroupKey(std::span<const int> ranks, const std::string& name, size_t time);

}  // namespace gradwire
