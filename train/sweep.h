// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace gradwire::train {

/// One run of a sweep: its output folder, and the command line that does it alone ("gradwire", "train", ...).
struct SweepRun {
  std::string folder;
  std::vector<std::string> arguments;
};

struct SweepPlan {
  std::vector<SweepRun> runs;
};

/// The product of the values of all words "section.key=a,b,c", the last word's varying fastest. Keys in one word vary
/// together: "comm.method,comm.compressor=dcgd,topk:1;ef,sign" is two runs. Commas within brackets do not separate:
/// lr_scheduler.milestones=[1,2],[2,4] and comm.compressor=sign,induced(topk:1,randk:1) have two values. Every run
/// writes below the configuration's output_dir, to a folder named by the keys that vary: "lr=0.1,compressor=topk:1";
/// keys that vary together and are auto are left out. Every run's configuration is loaded, so that a mistake in the
/// last one shows before the first has begun. Throws ConfigError.
SweepPlan PlanSweep(const std::string& config_file, const std::vector<std::string>& words);

}  // namespace gradwire::train
