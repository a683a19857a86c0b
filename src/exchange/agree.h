// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gradwire/collective.h"

namespace gradwire {

/// Compares `settings`, lines of text, with rank 0's on every rank, and returns the job's token: a hash of them and of
/// a number that rank 0 draws, so that messages of another job are recognised. Throws ConfigError on every rank,
/// naming a rank that differs and the lines that do.
uint64_t Agree(Collective& collective, const std::string& settings);

/// The same comparison in the middle of a run, by messages of the collective: the wait of GatherText may hold up
/// whoever else of this process asks the same store, and two exchanges would wait for each other. After a failure it
/// must outlive the collective, which may still write into it.
class Agreement {
 public:
  /// Throws as Agree, and PeerError.
  void Reach(Collective& collective, const std::string& settings);

 private:
  std::vector<std::string> digests_, texts_;  // by rank
};

}  // namespace gradwire
