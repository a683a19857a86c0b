// SPDX-License-Identifier: Apache-2.0
#include "train/analyse/analyse_command.h"

#include <algorithm>
#include <ostream>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "analysis/models.h"
#include "averaging/averaging.h"
#include "gradwire/error.h"

namespace gradwire::train {
namespace {

std::string Names() {
  std::string names;
  for (const SdeModel& model : SdeModels()) names += (names.empty() ? "" : "|") + std::string(model.name);
  return names;
}

/// What both commands have. Where a method prints words alone, all of it is of the table; the checks always are.
void AddCommon(CLI::App& command, CLI::Option* method, bool words_alone, uint64_t& seed, size_t& threads, bool& check,
               std::string& plot, std::string& json) {
  threads = std::max(1u, std::thread::hardware_concurrency());
  const std::vector<CLI::Option*> options = {
      command.add_option("--seed", seed, "Of all draws [1]")->type_name("S"),
      command.add_option("--threads", threads, "They change no number [one a core]")
          ->type_name("N")
          ->check(CLI::Range(size_t{1}, size_t{256})),
      command.add_option("--plot", plot, "Picture to write")->type_name("FILE.svg"),
      command.add_option("--json", json, "Write all numbers there as well")->type_name("FILE")};
  command.add_flag("--check", check, "Of the table: exit with 3 where a number is off")->excludes(method);
  if (!words_alone) return;
  for (CLI::Option* option : options) option->excludes(method);
}

void AddSde(CLI::App& analyse, AnalyseOptions& options) {
  AnalyseSdeOptions& sde = options.sde;
  MethodSettings& settings = sde.run.settings;
  CLI::App* command = analyse.add_subcommand("sde", "A method beside its stochastic differential equation");
  CLI::Option* method = command->add_option("METHOD", sde.run.method, "Without one: the checks of the papers' formulas")
                            ->option_text(Names());
  const auto add = [&](const char* name, auto& to, const char* what, const char* type) {
    return command->add_option(name, to, what)->type_name(type)->needs(method);
  };
  add("--problem", sde.problem, "quadratic, f = sum_j h_j x_j^2 / 2 [quadratic]", "NAME");
  add("--curvature", settings.curvature, "h_j [1]", "H,H,...")->delimiter(',');
  add("--dimension", sde.dimension, "Elements of that one curvature", "D")
      ->check(CLI::Range(size_t{1}, size_t{100000}));
  add("--start", settings.start, "Every x_j at first [1]", "X");
  add("--eta", settings.eta, "Step size [0.01]", "ETA");
  add("--time", sde.run.time, "End, a multiple of eta [5]", "T");
  add("--dt", sde.run.dt, "Step of the integrator, eta / m [eta]", "DT");
  add("--sigma", settings.sigma, "Scale of a sample's noise [1]", "S");
  add("--noise", sde.noise, "Its law [gaussian]", "gaussian|student:NU");
  add("--batch", settings.batch, "Samples of a gradient [1]", "B");
  add("--workers", settings.workers, "[1]", "N");
  add("--compressor", settings.compressor, "Of a worker's gradient [identity]", "SPEC");
  add("--rho1", settings.rho1, "beta1 = 1 - eta rho1 [10]", "RHO");
  add("--rho2", settings.rho2, "beta2 = 1 - eta rho2 [1]", "RHO");
  add("--decay", settings.decay, "Decoupled weight decay theta [0]", "THETA");
  add("--epsilon", settings.epsilon, "Beside the root of the second moment [1e-8]", "EPS");
  add("--paths", sde.run.paths, "Of the method and of the SDE [20000]", "P");
  AddCommon(*command, method, false, sde.run.seed, sde.run.threads, sde.check, sde.plot, sde.json);
}

void AddScale(CLI::App& analyse, AnalyseOptions& options) {
  AnalyseScaleOptions& scale = options.scale;
  CLI::App* command = analyse.add_subcommand("scale", "What to change beside a change, so that the level stays");
  command->callback([&options] { options.command = AnalyseOptions::Command::kScale; });
  CLI::Option* method =
      command->add_option("METHOD", scale.method, "Without one: levels simulated with each rule")->option_text(Names());
  command->add_option("CHANGES", scale.changes, "What is changed: eta, batch, workers, compressor")
      ->option_text("KEY=VALUE ...");
  const auto add = [&](const char* name, auto& to, const char* what, const char* type) {
    return command->add_option(name, to, what)->type_name(type)->needs(method);
  };
  add("--eta", scale.eta, "Step size now [0.01]", "ETA");
  add("--batch", scale.batch, "A worker's samples now [1]", "B")->check(CLI::PositiveNumber);
  add("--workers", scale.workers, "Now [1]", "N")->check(CLI::PositiveNumber);
  add("--compressor", scale.compressor, "Now [identity]", "SPEC");
  add("--dimension", scale.dimension, "Elements that the operator sees [10]", "D")->check(CLI::PositiveNumber);
  add("--beta1", scale.beta1, "Now [0.9]", "BETA");
  add("--beta2", scale.beta2, "Now [0.999]", "BETA");
  add("--decay", scale.decay, "Now [0]", "THETA")->check(CLI::NonNegativeNumber);
  command->add_option("--paths", scale.paths, "Of the table [2000]")->type_name("P")->excludes(method);
  AddCommon(*command, method, true, scale.seed, scale.threads, scale.check, scale.plot, scale.json);
}

void AddAveraging(CLI::App& analyse, AnalyseOptions& options) {
  AnalyseAveragingOptions& averaging = options.averaging;
  CLI::App* command = analyse.add_subcommand("averaging", "Rounds until peers agree, in groups and otherwise");
  command->callback([&options] { options.command = AnalyseOptions::Command::kAveraging; });
  std::string names;
  for (const AveragingMethod& method : AveragingMethods())
    names += (names.empty() ? "" : "|") + std::string(method.name);
  const auto add = [&](const char* name, auto& to, const char* what, const char* type) {
    return command->add_option(name, to, what)->type_name(type);
  };
  add("--peers", averaging.peers, "Numbers of peers [512,768,900]", "N,N,...")->delimiter(',');
  add("--failures", averaging.failures, "Probabilities that a peer fails in a round [0,0.01]", "P,P,...")
      ->delimiter(',');
  add("--methods", averaging.methods, "Some of them [all but pairs]", names.c_str())->delimiter(',');
  add("--side", averaging.side, "Peers of a group, M [32]", "M");
  add("--dims", averaging.dims, "Dimensions of the grid, N [2]", "N");
  add("--restarts", averaging.restarts, "Runs with other draws each [100]", "R");
  add("--cap", averaging.cap, "Rounds of a run at most [50]", "T");
  add("--seed", averaging.seed, "Of all draws [1]", "S");
  averaging.threads = std::max(1u, std::thread::hardware_concurrency());
  add("--threads", averaging.threads, "They change no number [one a core]", "N")
      ->check(CLI::Range(size_t{1}, size_t{256}));
  add("--json", averaging.json, "Write all numbers there as well", "FILE");
  command->add_flag("--check", averaging.check, "Exit with 3 where a number is far from the authors'");
}

std::string_view NameOf(AnalyseOptions::Command command) {
  switch (command) {
    case AnalyseOptions::Command::kSde: return "sde";
    case AnalyseOptions::Command::kScale: return "scale";
    case AnalyseOptions::Command::kAveraging: return "averaging";
  }
  return "";
}

int Run(const AnalyseOptions& options, std::ostream& out) {
  switch (options.command) {
    case AnalyseOptions::Command::kSde: return AnalyseSde(options.sde, out);
    case AnalyseOptions::Command::kScale: return AnalyseScale(options.scale, out);
    case AnalyseOptions::Command::kAveraging: return AnalyseAveraging(options.averaging, out);
  }
  return 0;
}

}  // namespace

void AddAnalyseCommands(CLI::App& analyse, AnalyseOptions& options) {
  analyse.require_subcommand(1);
  AddSde(analyse, options);
  AddScale(analyse, options);
  AddAveraging(analyse, options);
}

int RunAnalyse(const AnalyseOptions& options, std::ostream& out) {
  try {
    return Run(options, out);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("analyse {}, {}", NameOf(options.command), error.what()));
  }
}

}  // namespace gradwire::train
