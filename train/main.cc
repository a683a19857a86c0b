// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <iostream>

#include "gradwire/error.h"
#include "train/command_line.h"
#include "train/config.h"
#include "train/launch.h"
#include "train/list.h"
#include "train/rank_env.h"
#include "train/trainer.h"
#include "train/world.h"

namespace gradwire::train {
namespace {

constexpr int kBadConfig = 2;

int Launch(const Config& config, int argc, char** argv) {
  const StoreServer store;
  LaunchOptions options;
  options.nproc = config.run.nproc;
  options.master_port = store.port();
  options.grace_s = config.comm.timeout_s + 5;
  options.arguments.assign(argv, argv + argc);
  return RunLocalRanks(options);
}

/// A rank of the job. After a failure the process ends at once: unwinding would wait for a transport that is broken,
/// while the other ranks wait to see this one's connections close.
int BeRank(const Config& config, const RankEnv& env) {
  try {
    TrainAsRank(config, env);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "rank " + std::to_string(env.rank) + ": error: " + error.what() + "\n" << std::flush;
    std::_Exit(dynamic_cast<const ConfigError*>(&error) ? kBadConfig : 1);
  }
}

int Train(const CommandLine& line, int argc, char** argv) {
  const Config config = LoadConfig(line.config_file, line.overrides);
  if (line.print_config) {
    std::cout << ToYaml(config);
    return 0;
  }
  const auto env = RankFromEnv();
  return env ? BeRank(config, *env) : Launch(config, argc, argv);
}

int Main(int argc, char** argv) {
  const CommandLine line = Parse(argc, argv);
  if (line.exit_code) return *line.exit_code;
  if (line.command == Command::kTrain) return Train(line, argc, argv);
  std::cout << (line.command == Command::kList ? ListText() : KeysMarkdown());
  return 0;
}

}  // namespace
}  // namespace gradwire::train

int main(int argc, char** argv) {
  try {
    return gradwire::train::Main(argc, argv);
  } catch (const gradwire::ConfigError& error) {
    std::cerr << "error: " << error.what() << "\n";
    return gradwire::train::kBadConfig;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
