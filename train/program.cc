// SPDX-License-Identifier: Apache-2.0
#include "train/program.h"

#include <algorithm>
#include <exception>
#include <iostream>

#include "base/rank_env.h"
#include "base/text.h"
#include "config/environment.h"
#include "kernels/isa.h"
#include "train/command_line.h"
#include "train/config/modes.h"
#include "train/convex/convex_run.h"
#include "train/data/inputs.h"
#include "train/list.h"
#include "train/report/terminal.h"
#include "train/sweep.h"

namespace gradwire::train {
namespace {

int Train(const CommandLine& line, int argc, const char* const* argv, const RunProcesses& run_processes) {
  Config config = LoadConfig(line.config_file, line.overrides);
  config.run.join = line.join;
  if (line.print_config) {
    std::cout << ToYaml(config);
    return 0;
  }
  if (!line.join.empty() && (!ModeOf(config).has_server || !config.objective.is_network()))
    throw ErrorAt(config, "train.mode",
                  "found " + config.train.mode + ", expected async, of a network, because --join is given");
  CheckInputs(config);
  if (config.run.launch == "threads") return RunConvexThreads(config);
  if (!run_processes)
    throw ErrorAt(config, "run.launch",
                  "found processes, which this build cannot start because it is without torch; "
                  "expected threads and an objective.name other than network");
  return run_processes(config, argc, argv);
}

/// Trains by the words of argv, but for those of the keys in `instead`, which are these.
int TrainBy(int argc, const char* const* argv, const RunProcesses& run_processes,
            const std::vector<std::pair<std::string, std::string>>& instead) {
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    const auto is_replaced = [&](const auto& pair) { return word.starts_with(pair.first + "="); };
    if (std::ranges::none_of(instead, is_replaced)) words.push_back(word);
  }
  for (const auto& [key, value] : instead) words.push_back(key + "=" + value);
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  pointers.push_back(nullptr);
  const int count = static_cast<int>(words.size());
  return Train(Parse(count, pointers.data()), count, pointers.data(), run_processes);
}

/// What is seen from a run's last point needs a run that ends there first.
int TrainOnceOrTwice(const CommandLine& line, int argc, const char* const* argv, const RunProcesses& run_processes) {
  const Config config = LoadConfig(line.config_file, line.overrides);
  if (line.print_config || !config.analysis.alpha_beta || !config.analysis.reference.empty())
    return Train(line, argc, argv, run_processes);
  if (RankFromEnv())
    throw ErrorAt(config, "analysis.reference",
                  "found none, expected the folder of an earlier run of these ranks, since whoever started them starts "
                  "one run");
  const std::string first = config.run.output_dir + "/first";
  const int code = TrainBy(argc, argv, run_processes, {{"analysis.alpha_beta", "false"}, {"run.output_dir", first}});
  return code != 0 ? code : TrainBy(argc, argv, run_processes, {{"analysis.reference", first}});
}

int Sweep(const CommandLine& line, const RunProcesses& run_processes) {
  const SweepPlan plan = PlanSweep(line.config_file, line.words);
  std::vector<std::string> folders;
  for (const SweepRun& run : plan.runs) {
    std::cout << "== " << run.folder << std::endl;
    std::vector<const char*> argv;
    for (const std::string& word : run.arguments) argv.push_back(word.c_str());
    argv.push_back(nullptr);
    const int argc = static_cast<int>(run.arguments.size());
    if (const int code = TrainOnceOrTwice(Parse(argc, argv.data()), argc, argv.data(), run_processes)) return code;
    folders.push_back(run.folder);
  }
  std::cout << "\n" << Compare(folders, line.compare);
  return 0;
}

int Dispatch(int argc, const char* const* argv, const RunProcesses& run_processes, const ExchangeDoor& bench_door) {
  const CommandLine line = Parse(argc, argv);
  if (line.exit_code) return *line.exit_code;
  kernels::FromEnvironment();  // also where no kernel runs: a name that is none would be found by the next command only
  if (line.command == Command::kTrain || line.command == Command::kSweep || line.command == Command::kBench)
    CheckVariables(VariablesSet(), Reader::kNobody);
  switch (line.command) {
    case Command::kTrain: return TrainOnceOrTwice(line, argc, argv, run_processes);
    case Command::kSweep: return Sweep(line, run_processes);
    case Command::kCompare: std::cout << Compare(line.words, line.compare); return 0;
    case Command::kList:
      std::cout << Wrapped(ListText(line.words.empty() ? "" : line.words[0]), TerminalWidth(), kListIndent);
      return 0;
    case Command::kBench: return RunBench(line.bench, bench_door);
    case Command::kAnalyse: return RunAnalyse(line.analyse, std::cout);
    case Command::kKeys: std::cout << KeysMarkdown(); return 0;
  }
  return 0;
}

}  // namespace

int RunProgram(int argc, const char* const* argv, const RunProcesses& run_processes, const ExchangeDoor& bench_door) {
  try {
    return Dispatch(argc, argv, run_processes, bench_door);
  } catch (const std::exception& error) {
    std::cerr << "error: " << Printable(error.what()) << std::endl;
    return dynamic_cast<const ConfigError*>(&error) ? kBadConfig : 1;
  }
}

}  // namespace gradwire::train
