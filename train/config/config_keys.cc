// SPDX-License-Identifier: Apache-2.0
#include "train/config/config_keys.h"

#include <algorithm>
#include <utility>

#include "compress/spec.h"
#include "config/comm_keys.h"
#include "estimate/inner_solver.h"
#include "gradwire/bit_rule.h"
#include "problem/loss.h"
#include "problem/named.h"
#include "train/config/home_path.h"
#include "train/config/image_sets.h"
#include "train/config/key_rows.h"
#include "train/config/modes.h"

namespace gradwire {

bool ReadValue(const ConfigValue& written, Noise& value) {
  std::string text;
  if (!ReadValue(written, text)) return false;
  try {
    value = ParseNoise(text);
    return true;
  } catch (const ConfigError&) {
    return false;  // the row says what was expected
  }
}

std::string PrintValue(const Noise& value) { return PrintValue(value.text()); }

TypeName NameOf(const Noise&) { return {"text", "none, absolute:S or relative:S with a number S >= 0"}; }

bool ReadValue(const ConfigValue& written, AttackChoice& value) {
  std::string text;
  if (!ReadValue(written, text)) return false;
  try {
    value = ParseAttack(text);
    return true;
  } catch (const ConfigError&) {
    return false;  // the row says what was expected
  }
}

std::string PrintValue(const AttackChoice& value) { return PrintValue(value.text()); }

TypeName NameOf(const AttackChoice&) {
  static const std::string expected = [] {
    std::string text = "none, ";
    for (const Attack& attack : Attacks())
      text += std::string(attack.name) + (&attack == &Attacks().back()      ? ""
                                          : &attack == &Attacks().end()[-2] ? " or "
                                                                            : ", ");
    return text + ", and perhaps :S with a number S >= 0";
  }();
  return {"text", expected};
}

}  // namespace gradwire

namespace gradwire::train {

bool ReadValue(const ConfigValue& written, StepSize& value) {
  value.is_theory = written.kind == ConfigValue::Kind::kPlain && written.text == "theory";
  return value.is_theory || gradwire::ReadValue(written, value.number);
}

std::string PrintValue(const StepSize& value) {
  return value.is_theory ? "theory" : gradwire::PrintValue(value.number);
}

TypeName NameOf(const StepSize&) { return {"number or theory", "a number"}; }

namespace {

/// A range, or the word theory.
struct OrTheory {
  Range range;

  bool Allows(const StepSize& value) const { return value.is_theory || range.Allows(value.number); }
  std::string text() const { return range.text(); }
  std::string Expected(std::string_view phrase) const { return range.Expected(phrase) + " or theory"; }
};

/// No ~name, which is what is left of a ~ after WithHome, and no variable of a shell.
struct APath {
  bool may_be_empty = false;

  bool Allows(const std::string& path) const { return path.empty() ? may_be_empty : path[0] != '~' && path[0] != '$'; }
  std::string text() const { return may_be_empty ? "" : "not empty"; }
  std::string Expected(std::string_view) const {
    return std::string("a path") + (may_be_empty ? "" : " that is not empty") +
           ", in which ~/ is the home folder (HOME) and $ no variable; a name that begins so is written ./~ or ./$";
  }
};

/// A text of ParseInner.
struct AnInnerSolver {
  bool Allows(const std::string& text) const {
    try {
      ParseInner(text);
      return true;
    } catch (const ConfigError&) {
      return false;
    }
  }
  std::string text() const { return "exact, cg:K or gd:K"; }
  std::string Expected(std::string_view) const { return "exact, cg:K or gd:K with K from 1 to 1000000"; }
};

/// A path, whose ~/ is expanded here and nowhere else.
template <typename Section>
Key PathRow(std::string_view name, Section Config::*section, std::string Section::*field, APath rule,
            std::string_view meaning) {
  Key key = Row(name, section, field, rule, meaning);
  key.read = [read = key.read](ConfigValue written, Config& config) {
    written.text = WithHome(std::move(written.text));
    return read(written, config);
  };
  return key;
}

std::vector<Key> RunKeys() {
  using R = RunConfig;
  std::vector<Key> keys = {
      Row("run.seed", &Config::run, &R::seed, AtLeast(0),
          "seed of everything that is random: weights, order of the images, augmentation, compressors"),
      PathRow("run.output_dir", &Config::run, &R::output_dir, {},
              "folder for metrics.jsonl, config.yaml, the log and the weights"),
      Row("run.nproc", &Config::run, &R::nproc, Between(1, 1024),
          "rank processes that the program starts on this machine; under torchrun, WORLD_SIZE decides instead"),
      Row("run.launch", &Config::run, &R::launch, OneOf{{"processes", "threads"}},
          "threads: all ranks in one process, for objectives other than network"),
      Row("run.threads", &Config::run, &R::threads, OrAuto{Between(1, 256)},
          "threads that do the work of all ranks of one process; any number gives the same numbers; auto: the cores "
          "that the process may run on"),
  };
  keys[1].default_text = "runs/<config name>";
  return keys;
}

std::vector<std::string> ObjectiveNames() {
  std::vector<std::string> names = {"network", "quadratic", std::string(kPersonal), std::string(kSoftmax)};
  for (const Loss& loss : Losses()) names.emplace_back(loss.name);
  return names;
}

std::vector<Key> ObjectiveKeys() {
  using O = ObjectiveConfig;
  constexpr auto kSection = &Config::objective;
  return {
      Row("objective.name", kSection, &O::name, OneOf{ObjectiveNames()},
          "what is minimised; network: the sections data and model; the others: a problem in double precision, always "
          "compressed, one rank a worker, for train.steps rounds with the step size optimizer.lr; keys that it does "
          "not "
          "read are refused. personal: f_i(x, y_i), of which y_i is the rank's own and never leaves it; softmax: sigma "
          "log sum exp((<a, x> - y) / sigma) over a worker's samples, moved so that "
          "its minimiser is 0. The others are losses of a linear model, of which two are not convex: "
          "squared_sigmoid, (1 - 1 / (1 + exp(-y <a, x>)))^2; geman_mcclure, r^2 / (1 + r^2) of r = <a, x> - y"),
      PathRow(
          "objective.data", kSection, &O::data, {},
          "quadratic: q3 (3 workers), qh or qk (10 workers), two_tilts (2, EControl's appendix C) or graded (any "
          "number); personal: overpersonalised (all ranks are at their minimum at one x) or personalised, of any "
          "number; a loss: lr, lr2, "
          "lr3 (its workers' matrices of rank 3), lr_uneven, or a file in the LIBSVM format, dealt to the workers in "
          "contiguous blocks, and of least_squares and "
          "geman_mcclure, whose targets are any numbers, gaussian (1200 x 500, DORE's regression); geman_mcclure: "
          "alpha_beta (1 or 2 workers, example 1 of the alpha-beta condition)"),
      Row("objective.zero_based", kSection, &O::zero_based, AnyValue{},
          "whether the LIBSVM file counts its columns from 0; the format says from 1"),
      Row("objective.intercept", kSection, &O::intercept, AnyValue{},
          "whether samples get one more feature, the last one, that is always 1"),
      Row("objective.even", kSection, &O::even, AnyValue{},
          "whether all workers hold the same number of samples: those at the end that do not come out even are left "
          "out, and the run says how many"),
      Row("objective.sigma", kSection, &O::sigma, Range{.min = 0, .open_min = true},
          "softmax: how far it is from the maximum of its linear functions"),
      Row("objective.lambda", kSection, &O::lambda, AtLeast(0),
          "weight of a loss's ridge, half the squared norm of x; 0: none, but of logistic, which needs one: lr 0.1, "
          "lr2 and lr_uneven 0.01, a file L / 10000"),
      Row("objective.nonconvex", kSection, &O::nonconvex, AnyValue{},
          "a loss with lambda sum x_j^2 / (1 + x_j^2) in place of the ridge; its solution is not known"),
      Row("objective.estimator", kSection, &O::estimator,
          OneOf{{"auto", "full", "sgd", "star", "svrg", "lsvrg", "saga", "sega", "anchored", "diff"}},
          "of a worker's gradient; full: all samples; sgd: a batch; star: sgd with the noise at the solution taken off "
          "(for theory); svrg, lsvrg: sgd with the noise at an anchor taken off; saga: with that of a table of the "
          "samples' last gradients; sega: a guess that is corrected by a block of coordinates at a time; anchored: "
          "svrg "
          "where local.shift moves the anchor; diff: the last estimate and the change of a batch, for marina"),
      Row("objective.sampling", kSection, &O::sampling,
          OneOf{{"uniform", "nice", "importance", "independent", "partition", "reshuffle", "shuffle_once"}},
          "of the batch; uniform: with replacement; nice: without (with saga: JacSketch); importance: with "
          "replacement, "
          "in proportion to the samples' smoothness or to objective.probabilities; independent: each sample by itself, "
          "with probability batch / m of m or its own of objective.probabilities; partition: one of the blocks of "
          "batch "
          "samples in their order, all alike or in proportion to objective.probabilities; reshuffle: all in turn, in a "
          "random order that is drawn anew for each pass, or once"),
      Row("objective.batch", kSection, &O::batch, Between(1, 1e7), "samples a worker draws in a round"),
      Row("objective.probabilities", kSection, &O::probabilities, Range{.min = 0, .max = 1, .open_min = true},
          "of samples (importance, independent) or of blocks (partition), repeated where they are more; estimates "
          "divide by them and stay unbiased; empty: see sampling"),
      Row("objective.block", kSection, &O::block, Between(1, 1e7),
          "sega: coordinates of a block, at most all; one of the blocks is drawn in a round"),
      Row("objective.noise", kSection, &O::noise, AnyValue{},
          "Gaussian noise of what full, sgd, saga and sega see of a gradient, on every coordinate; absolute:S: of "
          "standard deviation S; relative:S: of S times the coordinate; none"),
      Row("objective.inner", kSection, &O::inner, AnInnerSolver{},
          "personal: how a rank comes to its own y_i at x, before its gradient by x; exact: the best one; cg:K: by K "
          "steps of conjugate gradients; gd:K: by K gradient steps of objective.inner_step"),
      Row("objective.inner_step", kSection, &O::inner_step, AtLeast(0),
          "step size of gd:K, below 2 / Lw, Lw being the smoothness of f_i by y_i; 0: 1 / Lw of each rank"),
      Row("objective.inner_start", kSection, &O::inner_start, OneOf{{"warm", "cold"}},
          "where cg:K and gd:K begin; warm: at the rank's last y_i, which its saves have; cold: at 0"),
      Row("objective.anchor_period", kSection, &O::anchor_period, AtLeast(0),
          "svrg: rounds from anchor to anchor; lsvrg, also of a network: their mean; 0: the number of a worker's "
          "samples, of a network an epoch's batches"),
      Row("objective.refresh_batch", kSection, &O::refresh_batch, Between(0, 1e7),
          "diff: fresh samples in a dense round (online VR-MARINA); 0: all of the worker's"),
      Row("objective.coin", kSection, &O::coin, OneOf{{"auto", "own", "common"}},
          "lsvrg: whether each worker moves its anchor by itself or all at once"),
      Row("objective.star_shift", kSection, &O::star_shift, OrAuto<AnyValue>{},
          "subtracts the worker's own gradient at the solution from its estimate (for theory); auto: the method's"),
      Row("objective.byzantine", kSection, &O::byzantine, Between(0, 1023),
          "workers, the last ones, that send objective.attack in place of their gradients, as an experiment: fewer "
          "than "
          "all; they step as the others do, and distances stay those to the solution of all workers' functions"),
      Row("objective.attack", kSection, &O::attack, AnyValue{},
          "what they send (`gradwire list aggregates`); of the honest ones' full gradients, which a worker of a convex "
          "problem can know"),
      Row("objective.prox", kSection, &O::prox, OneOf{{"none", "l1", "l2"}},
          "regulariser outside the functions, by its proximal step; l1: the sum of magnitudes; l2: half the squared "
          "norm"),
      Row("objective.prox_lambda", kSection, &O::prox_lambda, AtLeast(0), "weight of that regulariser"),
  };
}

std::vector<Key> DataKeys() {
  using D = DataConfig;
  return {
      Row("data.dataset", &Config::data, &D::dataset, OneOf{DatasetNames()},
          "images to train on; auto: CIFAR-10 where data.root has it, or the built-in synthetic set where data.root is "
          "the default and has none; synthetic100, synthetic_grey: built-in ones like CIFAR-100 and MNIST. All become "
          "3 "
          "x 32 x 32 and are normalised by the set's constants: those of MNIST and Fashion-MNIST, 28 x 28, amid black "
          "pixels and three times"),
      PathRow("data.root", &Config::data, &D::root, {},
              "folder with the files, or the folder above it: CIFAR's binary versions in cifar-10-batches-bin and "
              "cifar-100-binary, the unpacked IDX files in mnist and fashion-mnist"),
      Row("data.batch_size", &Config::data, &D::batch_size, Between(1, 65536),
          "images a step PER RANK; the global batch is this times the number of ranks"),
      Row("data.augment", &Config::data, &D::augment, OneOf{{"crop_flip", "none"}},
          "crop_flip: random crop of the image padded by 4 pixels, mirrored half of the time (of MNIST, whose digits "
          "are "
          "others mirrored, never)"),
  };
}

std::vector<Key> ModelKeys() {
  using M = ModelConfig;
  return {
      Row("model.name", &Config::model, &M::name, OneOf{{"resnet18", "resnet20", "resnet8"}},
          "resnet18: torchvision's with the CIFAR stem; resnet20, resnet8: He et al. 2015, section 4.2"),
      Row("model.num_classes", &Config::model, &M::num_classes, OrAuto{Between(2, 1000)},
          "outputs of the last layer; auto: the classes of data.dataset"),
      PathRow("model.init", &Config::model, &M::init, {.may_be_empty = true},
              "file with a Python state_dict (torch.save) to start from; empty: random weights from run.seed"),
  };
}

std::vector<Key> OptimizerKeys() {
  using O = OptimizerConfig;
  return {
      Row("optimizer.lr", &Config::optimizer, &O::lr, OrTheory{AtLeast(0)},
          "learning rate of SGD, used as it is: not scaled by the number of ranks; theory: what the constants of a "
          "convex problem allow the method (`gradwire list methods`)"),
      Row("optimizer.momentum", &Config::optimizer, &O::momentum, Range{.min = 0, .max = 1, .open_max = true},
          "momentum, applied after the exchange"),
      Row("optimizer.nesterov", &Config::optimizer, &O::nesterov, AnyValue{},
          "Nesterov's form of momentum; needs optimizer.momentum > 0"),
      Row("optimizer.weight_decay", &Config::optimizer, &O::weight_decay, AtLeast(0),
          "L2 penalty on weights with more than one dimension"),
      Row("optimizer.weight_decay_bn", &Config::optimizer, &O::weight_decay_bn, AtLeast(0),
          "L2 penalty on 1-D parameters: batch norm and biases"),
  };
}

std::vector<Key> LrSchedulerKeys() {
  using L = LrSchedulerConfig;
  return {
      Row("lr_scheduler.name", &Config::lr_scheduler, &L::name, OneOf{{"constant", "multistep", "cosine", "inverse"}},
          "how the learning rate falls after the warm-up; cosine: to 0 at the last step; inverse: by shift / (shift "
          "+ steps)"),
      Row("lr_scheduler.milestones", &Config::lr_scheduler, &L::milestones, Above(0),
          "epochs, increasing, from which multistep multiplies by gamma once more, e.g. [150, 250]"),
      Row("lr_scheduler.gamma", &Config::lr_scheduler, &L::gamma, Range{.min = 0, .max = 1, .open_min = true},
          "multistep's factor at each milestone"),
      Row("lr_scheduler.shift", &Config::lr_scheduler, &L::shift, AtLeast(0),
          "inverse's steps until the rate is halved"),
      Row("lr_scheduler.warmup_epochs", &Config::lr_scheduler, &L::warmup_epochs, Between(0, 1e6),
          "epochs (fractions allowed; of a network fewer than train.epochs) over which the rate rises to optimizer.lr"),
  };
}

std::vector<Key> TrainKeys() {
  using T = TrainConfig;
  return {
      Row("train.mode", &Config::train, &T::mode, OneOf{ModeNames()},
          "sync: gradients cross the wire in every step; local: each rank steps by itself, and differences of models "
          "cross the wire now and then (section local); async: a server, rank 0, applies each worker's gradient as it "
          "comes (section async); convex objectives then run on a simulated clock; newton: of convex objectives, a "
          "server steps by the workers' compressed Hessians (section newton); gossip: workers speak to their "
          "neighbours "
          "alone (section gossip)"),
      Row("train.epochs", &Config::train, &T::epochs, Between(1, 1e6), "passes over the training images"),
      Row("train.steps", &Config::train, &T::steps, AtLeast(0),
          "stop after so many steps; 0: after all the steps of train.epochs"),
      Row("train.delay", &Config::train, &T::delay, AtLeast(0),
          "sync: each step is along the gradients of so many steps ago (stale by so many); the first ones are none"),
      Row("train.slow_rank", &Config::train, &T::slow_rank, AtLeast(-1),
          "networks: a rank that is slowed, to try what slow machines do; -1: none"),
      Row("train.slow_factor", &Config::train, &T::slow_factor, Between(1, 1e4),
          "how many times longer that rank takes for a gradient: it sleeps after each"),
  };
}

/// The keys that every door shares, set in the section of a trainer's configuration.
std::vector<Key> LiftedCommKeys() {
  std::vector<Key> lifted;
  for (const ConfigKey<CommConfig>& key : CommKeys()) {
    Key& row =
        lifted.emplace_back(key.name, key.meaning, key.type, key.range, key.expected, key.default_text, key.is_list);
    row.read = [read = key.read](const ConfigValue& written, Config& config) { return read(written, config.comm); };
    row.print = [print = key.print](const Config& config) { return print(config.comm); };
  }
  return lifted;
}

std::vector<Key> CheckpointKeys() {
  using C = CheckpointConfig;
  constexpr auto kSection = &Config::checkpoint;
  return {
      Row("checkpoint.every_epochs", kSection, &C::every_epochs, AtLeast(0),
          "saves the run after every so many epochs and at its end, in run.output_dir/checkpoints; 0: never. An epoch "
          "of a convex objective is a worker's samples in batches, or one full gradient"),
      Row("checkpoint.every_minutes", kSection, &C::every_minutes, Between(0, 1e6),
          "saves it at the first exchange after so many minutes, and at its end; 0: never"),
      Row("checkpoint.keep_last", kSection, &C::keep_last, AtLeast(1), "saves that are kept, the newest ones"),
      PathRow("checkpoint.resume", kSection, &C::resume, {},
              "never: from the start; auto: from the newest save in run.output_dir that all ranks can read, else from "
              "the start; or the folder of a save, .../checkpoints/step00000120. With any key of this section SIGTERM, "
              "SIGINT, SIGHUP and SIGUSR1 save before they stop the run"),
  };
}

std::vector<Key> AnalysisKeys() {
  using A = AnalysisConfig;
  return {
      Row("analysis.alpha_beta", &Config::analysis, &A::alpha_beta, AnyValue{},
          "measures the alpha-beta condition of a run of gradient rounds with losses that are never below 0, for each "
          "worker's batch of each step, from the run's last point: the run is made twice, first into "
          "run.output_dir/first; alpha_beta.csv and alpha_beta.svg have the least beta for each alpha"),
      PathRow("analysis.reference", &Config::analysis, &A::reference, {.may_be_empty = true},
              "folder of a run of the same problem whose last point is taken instead, so that this run is made once"),
  };
}

std::vector<std::string> BitRuleNames() {
  std::vector<std::string> names;
  for (const BitRule& rule : BitRules()) names.emplace_back(rule.name);
  return names;
}

std::vector<Key> LogKeys() {
  using L = LogConfig;
  return {
      Row("log.every_steps", &Config::log, &L::every_steps, AtLeast(1), "steps between two records in metrics.jsonl"),
      Row("log.eval_every", &Config::log, &L::eval_every, AtLeast(1), "epochs between two evaluations on the test set"),
      Row("log.average", &Config::log, &L::average, OneOf{{"none", "weighted"}},
          "weighted: records have f_avg, f at the mean of the points before each step, x_t with weight (shift + t)^2, "
          "shift that of lr_scheduler.name: inverse"),
      Row("log.bits_paper", &Config::log, &L::bits_paper, OneOf{BitRuleNames()},
          "how the field bits_paper counts a rank's messages on the way up, each once; paper: 32 bits a number, "
          "ceil(log2 d) a position that travels, a sign and a level or 0; paper64: 64 bits a number; ef_sigma_k: 64 "
          "bits a kept "
          "element without positions, and rounded elements that are not 0; levels: no positions, and no level for 0"),
  };
}

}  // namespace

const std::vector<Key>& Keys() {
  static const std::vector<Key> keys = [] {
    std::vector<Key> all;
    for (std::vector<Key>& section :
         std::vector{RunKeys(), ObjectiveKeys(), DataKeys(), ModelKeys(), OptimizerKeys(), LrSchedulerKeys(),
                     TrainKeys(), LocalKeys(), GossipKeys(), AsyncKeys(), NewtonKeys(), LiftedCommKeys(),
                     AnalysisKeys(), CheckpointKeys(), LogKeys()})
      std::move(section.begin(), section.end(), std::back_inserter(all));
    return all;
  }();
  return keys;
}

std::vector<std::string_view> Sections() {
  std::vector<std::string_view> sections;
  for (const Key& key : Keys())
    if (sections.empty() || sections.back() != key.section()) sections.push_back(key.section());
  return sections;
}

const Key* FindKey(std::string_view name) { return FindIn(Keys(), name); }

std::string_view NearestKey(std::string_view name) {
  const std::string_view leaf = name.substr(name.rfind('.') + 1);  // npos + 1 = 0: the whole name
  std::vector<std::string_view> names, same_leaf;
  for (const Key& key : Keys()) {
    names.push_back(key.name);
    if (key.leaf() == leaf) same_leaf.push_back(key.name);
  }
  if (same_leaf.empty()) return Nearest(name, names);
  const std::string_view nearest = Nearest(name, same_leaf);
  return nearest.empty() ? same_leaf.front() : nearest;
}

}  // namespace gradwire::train
