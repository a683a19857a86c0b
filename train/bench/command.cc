// SPDX-License-Identifier: Apache-2.0
#include "train/bench/command.h"

#include <algorithm>
#include <iostream>

#include <CLI/CLI.hpp>

#include "base/text.h"
#include "gradwire/error.h"

namespace gradwire::train {
namespace {

void AddKernels(CLI::App& bench, BenchOptions& options) {
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

void AddExchange(CLI::App& bench, BenchOptions& options) {
  ExchangeOptions& exchange = options.exchange;
  CLI::App* command = bench.add_subcommand("exchange", "What an exchange of gradients costs, beside dense DDP's");
  command->callback([&options] { options.command = BenchOptions::Command::kExchange; });
  command->add_option("--model", exchange.model, "Gradients of this model, or so many numbers [resnet18]")
      ->type_name("resnet18|NUMEL");
  command->add_option("--ranks", exchange.ranks, "Processes, each with one gradient [2]")->type_name("N");
  command
      ->add_option("--compressor", exchange.compressors,
                   "May be repeated: METHOD+SPEC, SPEC (method ef) or METHOD, then keys of comm [none, ef+sign, "
                   "ef+topk:1%, dcgd+qsgd:127, dcgd+fp16]")
      ->type_name("\"METHOD+SPEC [key=value ...]\"");
  command->add_option("--rate", exchange.rate, "Of each host's link, both ways: 100mbit, 1gbit; as root [loopback]")
      ->type_name("RATE");
  command->add_option("--rounds", exchange.rounds, "Turns that each variant has [9]")
      ->type_name("R")
      ->check(CLI::Range(1, 100000));
  command->add_option("--steps", exchange.steps, "Steps of a turn, fewer where it takes more than a second [3]")
      ->type_name("S")
      ->check(CLI::Range(1, 1000));
  command->add_option("--json", exchange.json, "Write all numbers there as well")->type_name("FILE");
  command->footer(
      "Plain DDP, a floor (a hook that returns the bucket) and the compressors take turns in one run, in shuffled "
      "order.\n"
      "exchange = step - floor. With --rate the ranks are hosts in network namespaces, shaped by tc's tbf.");
}

void AddAdvise(CLI::App& bench, BenchOptions& options) {
  AdviseOptions& advise = options.advise;
  CLI::App* command = bench.add_subcommand("advise", "Which operator pays on this link and this machine, if any does");
  command->callback([&options] { options.command = BenchOptions::Command::kAdvise; });
  command
      ->add_option("--model", advise.model,
                   "Gradients of this model, of a file's shapes, or so many numbers [resnet18]")
      ->type_name("resnet18|NUMEL|FILE.safetensors|FILE.pt");
  command->add_option("--ranks", advise.ranks, "Of the job; under torchrun all that it started [2]")->type_name("N");
  command->add_option("--ranks-per-host", advise.ranks_per_host, "Of them, that share a host and its link [1]")
      ->type_name("R");
  command->add_option("--backward-ms", advise.backward_ms, "Time beside which bytes may travel [0: not known]")
      ->type_name("MS");
  command
      ->add_option("--compressor", advise.compressors,
                   "May be repeated, as of bench exchange [ef+sign, ef+topk:1%, ef+topk:0.1%, dcgd+qsgd:127, "
                   "dcgd+qsgd:7, dcgd+natural, dcgd+fp16]")
      ->type_name("\"METHOD+SPEC [key=value ...]\"");
  command
      ->add_option(
          "--rate", advise.rate,
          "Of a host's link, both ways: 100mbit, 1gbit; as root it is made and measured, else taken at its word "
          "[the link that there is]")
      ->type_name("RATE");
  command->add_option("--json", advise.json, "Write all numbers there as well")->type_name("FILE");
  command->add_flag(kStarted, advise.is_started)->group("");  // of processes that it starts itself
  command->footer(
      "The link and the operators are measured for a minute at most; what they cost together is a model, the one that\n"
      "comm.when: pays asks. bench exchange measures exchanges themselves. Between real hosts: under torchrun.");
}

}  // namespace

void AddBenchCommands(CLI::App& bench, BenchOptions& options) {
  bench.require_subcommand(1);
  AddKernels(bench, options);
  AddExchange(bench, options);
  AddAdvise(bench, options);
}

int RunBench(const BenchOptions& options, const ExchangeDoor& door) {
  switch (options.command) {
    case BenchOptions::Command::kKernels: return BenchKernels(options.kernels, std::cout);
    case BenchOptions::Command::kExchange: return BenchExchange(options.exchange, door);
    case BenchOptions::Command::kAdvise: return BenchAdvise(options.advise, door);
  }
  return 0;
}

int BenchProgram(const std::string& name, std::vector<std::string> words, const ExchangeDoor& door) {
  BenchOptions options;
  CLI::App app("Measure this machine: what operators cost on it, and exchanges over it", name);
  AddBenchCommands(*app.add_subcommand("bench", app.get_description()), options);
  try {
    std::ranges::reverse(words);  // as CLI11 takes them
    app.parse(words);
    return RunBench(options, door);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "error: " << Printable(error.what()) << std::endl;
    return dynamic_cast<const ConfigError*>(&error) ? 2 : 1;
  }
}

}  // namespace gradwire::train
