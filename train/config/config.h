// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/model_round.h"
#include "estimate/attack.h"
#include "estimate/noise.h"
#include "gradwire/comm_config.h"
#include "gradwire/error.h"
#include "newton/newton_config.h"

namespace gradwire::train {

// What each member means, and which values it takes, stands in the table of keys: config_keys.cc, configs/README.md.

struct RunConfig {
  uint64_t seed = 1;
  std::string output_dir;  // LoadConfig fills in runs/<config name>
  int nproc = 2;
  std::string launch = "processes";
  std::optional<int64_t> threads;
  std::string join;  // HOST:PORT of a running asynchronous job, by --join; no key
};

struct ObjectiveConfig {
  std::string name = "network";
  std::string data = "qh";
  bool zero_based = false;
  bool intercept = false;
  bool even = false;
  double sigma = 1;
  double lambda = 0;
  bool nonconvex = false;
  std::string estimator = "auto";
  std::string sampling = "uniform";
  int64_t batch = 1;
  std::vector<double> probabilities;
  int64_t block = 1;  // coordinates
  Noise noise;
  std::string inner = "exact";
  double inner_step = 0;
  std::string inner_start = "warm";
  int64_t anchor_period = 0;  // rounds
  int64_t refresh_batch = 0;  // samples
  std::string coin = "auto";
  std::optional<bool> star_shift;  // LoadConfig fills in the method's
  int64_t byzantine = 0;           // workers
  AttackChoice attack;
  std::string prox = "none";
  double prox_lambda = 0;

  bool is_network() const { return name == "network"; }
};

struct AsyncRunConfig {
  std::string assign = "shuffled";
  int64_t wait_for = 1;
  int64_t max_staleness = 0;
  std::string down = "identity";
  std::string server = "dedicated";
  std::string delay = "fixed";
  std::vector<double> speeds = {1};
};

struct DataConfig {
  std::string dataset = "auto";
  std::string root = "data/cifar-10-batches-bin";
  int64_t batch_size = 64;  // of each rank
  std::string augment = "crop_flip";
};

struct ModelConfig {
  std::string name = "resnet18";
  std::optional<int64_t> num_classes;  // LoadConfig fills in the data set's
  std::string init;
};

/// A number, or the word theory: what the problem's constants give (gradwire/theory.h).
struct StepSize {
  StepSize(double number = 0.1) : number(number) {}  // NOLINT(google-explicit-constructor)
  operator double() const { return number; }         // NOLINT(google-explicit-constructor)

  double number;
  bool is_theory = false;
};

struct OptimizerConfig {
  StepSize lr;
  double momentum = 0.9;
  bool nesterov = true;
  double weight_decay = 5e-4;
  double weight_decay_bn = 0;
};

struct LrSchedulerConfig {
  std::string name = "constant";
  std::vector<double> milestones;  // epochs
  double gamma = 0.1;
  double shift = 0;  // steps
  double warmup_epochs = 0;
};

struct TrainConfig {
  std::string mode = "sync";
  int64_t epochs = 1;
  int64_t steps = 0;
  int64_t delay = 0;
  int64_t slow_rank = -1;
  double slow_factor = 1;
};

struct GossipConfig {
  std::string method = "motef";
  std::string graph = "ring";
  std::string weights = "auto";
  std::optional<double> gamma;   // LoadConfig fills in 1 where neighbours get models as they are
  std::optional<double> lambda;  // and the method's
  std::string opening = "zeros";
  std::string evaluate = "average";
};

struct LogConfig {
  int64_t every_steps = 50;
  int64_t eval_every = 1;  // epochs
  std::string average = "none";
  std::string bits_paper = "paper";
};

struct AnalysisConfig {
  bool alpha_beta = false;
  std::string reference;  // folder of a run
};

struct CheckpointConfig {
  int64_t every_epochs = 0;
  double every_minutes = 0;
  int64_t keep_last = 2;
  std::string resume = "never";  // never, auto or a step's folder

  /// Whether the run saves by itself.
  bool saves() const { return every_epochs > 0 || every_minutes > 0; }
  /// Whether a signal makes it save and stop.
  bool is_on() const { return saves() || resume != "never"; }
};

struct Config {
  RunConfig run;
  ObjectiveConfig objective;
  DataConfig data;
  ModelConfig model;
  OptimizerConfig optimizer;
  LrSchedulerConfig lr_scheduler;
  TrainConfig train;
  LocalConfig local;
  AsyncRunConfig async;
  NewtonConfig newton;
  GossipConfig gossip;
  CommConfig comm;
  AnalysisConfig analysis;
  CheckpointConfig checkpoint;
  LogConfig log;

  /// Where the values that are not defaults came from: by key, e.g. "optimizer.lr" -> "configs/quickstart.yaml:12".
  std::map<std::string, std::string, std::less<>> places;

  /// "FILE:LINE", "command line, 'WORD'" or "default value".
  std::string PlaceOf(std::string_view key) const;
};

/// A word of the command line that sets a key.
struct Override {
  std::string word;  ///< as it was typed, for error messages
  std::string key;
  std::string value;
};

/// Splits "section.key=value". Throws ConfigError.
Override ParseOverride(const std::string& word);

/// The file's settings over the defaults, the overrides over both, checked each and together. An empty file is fine.
/// Throws ConfigError that says where, which key, what was found and what was expected.
Config LoadConfig(const std::string& file, const std::vector<Override>& overrides);

/// run.threads; where it is auto, the cores that this process may run on.
size_t ThreadsOf(const Config& config);

/// The section comm as the objective has it: the point of a convex one is one small parameter, which is always
/// compressed.
CommConfig CommOf(const Config& config);

/// Throws ConfigError where settings that are fine by themselves do not go together. LoadConfig calls it.
void CheckTogether(const Config& config);

/// Throws ConfigError where a key has another value than its default and nothing would read it. CheckTogether calls it.
void CheckScopes(const Config& config);

/// The error with the place of its setting in front.
ConfigError WithPlace(const Config& config, const ConfigError& error);

/// An error about a key that shows only later: "PLACE: KEY: MESSAGE".
ConfigError ErrorAt(const Config& config, std::string_view key, std::string_view message);

/// All settings as YAML, which LoadConfig reads back to the same settings.
std::string ToYaml(const Config& config);

/// The table of keys as text for a terminal, and as configs/README.md.
std::string KeysHelp();
std::string KeysMarkdown();

}  // namespace gradwire::train
