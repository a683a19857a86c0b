// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace gradwire {

/// A rank's place in the job, as torchrun (or launch.h) tells it through the environment.
struct RankEnv {
  int rank = 0;                  ///< RANK
  int world_size = 1;            ///< WORLD_SIZE
  int local_rank = 0;            ///< LOCAL_RANK
  int local_world_size = 1;      ///< LOCAL_WORLD_SIZE: ranks on this host
  std::string master_addr = "";  ///< MASTER_ADDR: where the TCPStore is served
  int master_port = 0;           ///< MASTER_PORT
  bool store_is_served = false;  ///< TORCHELASTIC_USE_AGENT_STORE=True: the launcher serves it; otherwise rank 0 has to
};

/// Empty where neither RANK nor WORLD_SIZE is set. Throws ConfigError, naming the variable, where the environment is
/// incomplete or contradicts itself.
std::optional<RankEnv> RankFromEnv();

}  // namespace gradwire
