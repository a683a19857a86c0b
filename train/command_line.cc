// SPDX-License-Identifier: Apache-2.0
#include "train/command_line.h"

#include <iostream>

#include <CLI/CLI.hpp>

#include "train/config/home_path.h"
#include "train/report/terminal.h"

namespace gradwire::train {

namespace {

constexpr size_t kHelpIndent = 6;  // of what KeysHelp says of a key

void AddCompareOptions(CLI::App& command, CompareOptions& options) {
  const auto names = [](const std::vector<Axis>& axes) {
    std::string text;
    for (const Axis& axis : axes) text += (text.empty() ? "" : "|") + std::string(axis.name);
    return text;
  };
  command.add_option("--x", options.x, "What the runs are compared over")->option_text(names(XAxes()) + " [bits]");
  command.add_option("--y", options.y, "What is compared")->option_text(names(YAxes()) + " [the first that all have]");
  command.add_option("--plot", options.plot, "Picture to write")->type_name("FILE.svg");
  command.add_option("--csv", options.csv, "Table of all records to write")->type_name("FILE.csv");
}

}  // namespace

CommandLine Parse(int argc, const char* const* argv) {
  CommandLine line;
  std::string nproc;
  std::vector<std::string> words;

  CLI::App app("Data-parallel training over compressed gradients", "gradwire");
  app.set_version_flag("--version", "gradwire " GRADWIRE_VERSION);
  app.require_subcommand(0, 1);  // 1 would hide which word is no command
  app.footer("`gradwire train --help` lists every configuration key.");

  CLI::App* train = app.add_subcommand("train", "Train as a YAML file says, with local ranks or as a rank of torchrun");
  train->add_option("CONFIG", line.config_file, "YAML file, e.g. configs/quickstart.yaml")->required();
  train->add_option("SETTINGS", words, "Settings that come after the file's and win")
      ->option_text("section.key=value ...");
  train->add_option("--nproc", nproc, "Rank processes to start on this machine (run.nproc)")->type_name("N");
  train->add_option("--join", line.join, "Be one more worker of an asynchronous run, at the address that it prints")
      ->type_name("HOST:PORT");
  train->add_flag("--print-config", line.print_config, "Print all settings as YAML, and start nothing");
  train->footer(Wrapped(KeysHelp(), TerminalWidth(), kHelpIndent));
  CLI::App* sweep =
      app.add_subcommand("sweep", "Train with every combination of values, one after another, and compare");
  sweep->add_option("CONFIG", line.config_file, "YAML file")->required();
  sweep->add_option("SETTINGS", line.words, "Keys and the values to try; keys that vary together: k1,k2=a1,a2;b1,b2")
      ->option_text("section.key=a,b,c ...");
  AddCompareOptions(*sweep, line.compare);
  CLI::App* compare = app.add_subcommand("compare", "Compare runs by what they wrote");
  compare->add_option("RUN", line.words, "Output folders of runs")->required()->option_text("RUN ...");
  AddCompareOptions(*compare, line.compare);
  CLI::App* list = app.add_subcommand("list", "Print the parts there are, all or one section");
  list->add_option("SECTION", line.words,
                   "methods, operators, links, estimators, topologies, newton, gossip, inner, aggregates or averaging")
      ->expected(0, 1)
      ->option_text("[SECTION]");
  CLI::App* bench =
      app.add_subcommand("bench", "Measure this machine: what operators cost on it, and exchanges over it");
  AddBenchCommands(*bench, line.bench);
  CLI::App* analyse = app.add_subcommand("analyse", "Methods beside their stochastic models, and rules of scaling");
  AddAnalyseCommands(*analyse, line.analyse);
  CLI::App* keys = app.add_subcommand("keys", "Print configs/README.md: every configuration key");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    line.exit_code = app.exit(error) == 0 ? 0 : 2;
    return line;
  }
  if (app.get_subcommands().empty()) {
    std::cerr << app.help();
    line.exit_code = 2;
  }
  for (std::string* path :
       {&line.config_file, &line.compare.plot, &line.compare.csv, &line.bench.kernels.json, &line.bench.exchange.json,
        &line.bench.advise.json, &line.bench.advise.model, &line.analyse.sde.plot, &line.analyse.sde.json,
        &line.analyse.scale.plot, &line.analyse.scale.json, &line.analyse.averaging.json})
    *path = WithHome(*path);
  if (compare->parsed())
    for (std::string& run : line.words) run = WithHome(run);
  if (sweep->parsed()) line.command = Command::kSweep;
  if (compare->parsed()) line.command = Command::kCompare;
  if (list->parsed()) line.command = Command::kList;
  if (bench->parsed()) line.command = Command::kBench;
  if (analyse->parsed()) line.command = Command::kAnalyse;
  if (keys->parsed()) line.command = Command::kKeys;
  for (const std::string& word : words) line.overrides.push_back(ParseOverride(word));
  if (train->count("--nproc") > 0) line.overrides.push_back({"--nproc " + nproc, "run.nproc", nproc});
  return line;
}

}  // namespace gradwire::train
