// SPDX-License-Identifier: Apache-2.0
#include "train/program.h"

#include <exception>
#include <iostream>

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

int Sweep(const CommandLine& line, const RunProcesses& run_processes) {
  const SweepPlan plan = PlanSweep(line.config_file, line.words);
  std::vector<std::string> folders;
  for (const SweepRun& run : plan.runs) {
    std::cout << "== " << run.folder << std::endl;
    std::vector<const char*> argv;
    for (const std::string& word : run.arguments) argv.push_back(word.c_str());
    argv.push_back(nullptr);
    const int argc = static_cast<int>(run.arguments.size());
    if (const int code = Train(Parse(argc, argv.data()), argc, argv.data(), run_processes)) return code;
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
    case Command::kTrain: return Train(line, argc, argv, run_processes);
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
