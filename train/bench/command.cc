// SPDX-License-Identifier: Apache-2.0
#include "train/bench/command.h"

#include <iostream>

#include <CLI/CLI.hpp>

namespace gradwire::train {

void AddBenchCommands(CLI::App& bench, BenchOptions& options) {
  bench.require_subcommand(1);
  KernelsOptions& kernels = options.kernels;
  CLI::App* command =
      bench.add_subcommand("kernels", "What operators cost on one core, as multiples of what memory allows");
  command->add_option("--json", kernels.json, "Write all numbers there as well")->type_name("FILE");
  command->add_flag("--goals", kernels.goals, "Exit with 3 where a goal of this instruction set is missed");
  command->add_option("--isa", kernels.isa, "Kernels to run [the best that this machine runs]")->type_name("NAME");
  command->add_option("--only", kernels.only, "Operators whose name has this word, or one by its spec; may be repeated")
      ->type_name("WORD");
  command->add_option("--numel", kernels.numel, "Elements of the vector [ResNet-18's]")
      ->type_name("N")
      ->check(CLI::Range(size_t{1}, size_t{1} << 32));
  command->add_option("--rounds", kernels.rounds, "Times that each is timed")
      ->type_name("R")
      ->check(CLI::Range(1, 100000));
  command->footer(
      "Results are checked first, byte for byte against the scalar kernels; a wrong one is exit code 1. The goals are\n"
      "the table of train/bench/goals.cc.");
}

int RunBench(const BenchOptions& options) { return BenchKernels(options.kernels, std::cout); }

}  // namespace gradwire::train
