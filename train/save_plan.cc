// SPDX-License-Identifier: Apache-2.0
#include "train/save_plan.h"

#include <sstream>

#include "gradwire/error.h"

namespace gradwire::train {

std::optional<SavePlan::Due> SavePlan::PassPoint() {
  ++point_;
  try {
    c10d::Store& store = *world_.membership.store;
    if (!store.check({Key()})) return std::nullopt;
    const std::vector<uint8_t> text = store.get(Key());
    std::istringstream words(std::string(text.begin(), text.end()));
    uint64_t point = 0;
    Due due;
    words >> point >> due.signal;
    if (point != point_) return std::nullopt;
    ++done_;
    proposed_ = false;
    return due;
  } catch (const std::exception& error) {
    Lost(error);
  }
}

void SavePlan::Propose(int signal) {
  if (proposed_) return;
  proposed_ = true;
  const std::string text = std::to_string(point_ + 1) + " " + std::to_string(signal);
  try {
    world_.membership.store->compareSet(Key(), std::vector<uint8_t>{}, std::vector<uint8_t>(text.begin(), text.end()));
  } catch (const std::exception& error) {
    Lost(error);
  }
}

void SavePlan::Lost(const std::exception& error) const {
  const RankEnv& env = world_.env;
  const std::string store = "the job's store at " + env.master_addr + ":" + std::to_string(env.master_port);
  throw PeerError(0, (env.store_is_served ? store + " does not answer" : "rank 0 is gone with " + store) +
                         ", says rank " + std::to_string(env.rank) + " (" + error.what() + ")");
}

}  // namespace gradwire::train
