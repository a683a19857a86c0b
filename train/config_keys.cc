// SPDX-License-Identifier: Apache-2.0
#include "train/config_keys.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "compress/spec.h"
#include "train/config_value.h"

namespace gradwire::train {
namespace {

template <typename Section, typename T, typename Rule>
Key Row(std::string_view name, Section Config::*section, T Section::*field, Rule rule, std::string_view meaning) {
  Key key;
  key.name = name;
  key.meaning = meaning;
  key.type = NameOf(T{}).name;
  key.range = rule.text();
  key.expected = rule.Expected(NameOf(T{}).phrase);
  key.default_text = PrintValue(Config{}.*section.*field);
  key.is_list = std::is_same_v<T, std::vector<double>>;
  key.read = [=](const YAML::Node& node, Config& config) {
    T value{};
    if (!ReadValue(node, value) || !rule.Allows(value)) return false;
    config.*section.*field = std::move(value);
    return true;
  };
  key.print = [=](const Config& config) { return PrintValue(config.*section.*field); };
  return key;
}

std::vector<Key> RunKeys() {
  using R = RunConfig;
  std::vector<Key> keys = {
      Row("run.seed", &Config::run, &R::seed, AtLeast(0),
          "seed of everything that is random: weights, order of the images, augmentation, compressors"),
      Row("run.output_dir", &Config::run, &R::output_dir, NotEmpty{},
          "folder for metrics.jsonl, config.yaml, the log and the weights"),
      Row("run.nproc", &Config::run, &R::nproc, Between(1, 1024),
          "rank processes that the program starts on this machine; under torchrun, WORLD_SIZE decides instead"),
      Row("run.launch", &Config::run, &R::launch, OneOf{{"processes", "threads"}},
          "threads: all ranks in one process, for objectives other than network"),
  };
  keys[1].default_text = "runs/<config name>";
  return keys;
}

std::vector<Key> ObjectiveKeys() {
  using O = ObjectiveConfig;
  constexpr auto kSection = &Config::objective;
  return {
      Row("objective.name", kSection, &O::name, OneOf{{"network", "quadratic", "logistic"}},
          "what is minimised; network: the sections data and model; the others: a problem with a known solution, in "
          "double "
          "precision and always compressed, one rank a worker, train.steps rounds with the step size optimizer.lr, and "
          "no "
          "other key of data, model, optimizer or lr_scheduler"),
      Row("objective.data", kSection, &O::data, NotEmpty{},
          "quadratic: q3 (3 workers) or qh (10 workers); logistic: lr, lr2 or a file in the LIBSVM format, dealt to "
          "the "
          "workers in contiguous blocks"),
      Row("objective.zero_based", kSection, &O::zero_based, AnyValue{},
          "whether the LIBSVM file counts its columns from 0; the format says from 1"),
      Row("objective.lambda", kSection, &O::lambda, AtLeast(0),
          "weight of logistic's ridge, half the squared norm of x; 0: lr 0.1, lr2 0.01, a file L / 10000"),
      Row("objective.nonconvex", kSection, &O::nonconvex, AnyValue{},
          "logistic with lambda sum x_j^2 / (1 + x_j^2) in place of the ridge; its solution is not known"),
      Row("objective.estimator", kSection, &O::estimator,
          OneOf{{"auto", "full", "sgd", "star", "svrg", "lsvrg", "diff"}},
          "of a worker's gradient; full: all samples; sgd: a batch; star: sgd with the noise at the solution taken off "
          "(for "
          "theory); svrg, lsvrg: sgd with the noise at an anchor taken off; diff: the last estimate and the change of "
          "a batch, "
          "for marina"),
      Row("objective.sampling", kSection, &O::sampling, OneOf{{"uniform", "nice", "importance"}},
          "of the batch; uniform: with replacement; nice: without; importance: with replacement, in proportion to the "
          "samples' smoothness"),
      Row("objective.batch", kSection, &O::batch, AtLeast(1), "samples a worker draws in a round"),
      Row("objective.anchor_period", kSection, &O::anchor_period, AtLeast(0),
          "svrg: rounds from anchor to anchor; lsvrg: their mean; 0: the number of a worker's samples"),
      Row("objective.coin", kSection, &O::coin, OneOf{{"auto", "own", "common"}},
          "lsvrg: whether each worker moves its anchor by itself or all at once"),
      Row("objective.ema", kSection, &O::ema, Range{.min = 0, .max = 1, .open_min = true},
          "b of the filter v <- (1 - b) v + b g on each worker's estimate, v starting at 0; 1: none"),
      Row("objective.star_shift", kSection, &O::star_shift, AnyValue{},
          "subtracts the worker's own gradient at the solution from its estimate (for theory)"),
      Row("objective.prox", kSection, &O::prox, OneOf{{"none", "l1", "l2"}},
          "regulariser outside the functions, by its proximal step; l1: the sum of magnitudes; l2: half the squared "
          "norm"),
      Row("objective.prox_lambda", kSection, &O::prox_lambda, AtLeast(0), "weight of that regulariser"),
  };
}

std::vector<Key> DataKeys() {
  using D = DataConfig;
  return {
      Row("data.dataset", &Config::data, &D::dataset, OneOf{{"auto", "cifar10", "synthetic"}},
          "images to train on; auto: CIFAR-10 where data.root has it, else the built-in synthetic set"),
      Row("data.root", &Config::data, &D::root, NotEmpty{},
          "folder with CIFAR-10's binary version (data_batch_1.bin and so on), or the folder above it"),
      Row("data.batch_size", &Config::data, &D::batch_size, Between(1, 65536),
          "images a step PER RANK; the global batch is this times the number of ranks"),
      Row("data.augment", &Config::data, &D::augment, OneOf{{"crop_flip", "none"}},
          "crop_flip: random crop of the image padded by 4 pixels, mirrored half of the time"),
  };
}

std::vector<Key> ModelKeys() {
  using M = ModelConfig;
  return {
      Row("model.name", &Config::model, &M::name, OneOf{{"resnet18", "resnet20", "resnet8"}},
          "resnet18: torchvision's with the CIFAR stem; resnet20, resnet8: He et al. 2015, section 4.2"),
      Row("model.num_classes", &Config::model, &M::num_classes, Between(2, 1000), "outputs of the last layer"),
      Row("model.init", &Config::model, &M::init, AnyValue{},
          "file with a Python state_dict (torch.save) to start from; empty: random weights from run.seed"),
  };
}

std::vector<Key> OptimizerKeys() {
  using O = OptimizerConfig;
  return {
      Row("optimizer.lr", &Config::optimizer, &O::lr, OrTheory{AtLeast(0)},
          "learning rate of SGD, used as it is: not scaled by the number of ranks; theory: what the constants of a "
          "convex "
          "problem allow the method (`gradwire list methods`)"),
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
      Row("lr_scheduler.name", &Config::lr_scheduler, &L::name, OneOf{{"constant", "multistep", "cosine"}},
          "how the learning rate falls after the warm-up; cosine: to 0 at the last step"),
      Row("lr_scheduler.milestones", &Config::lr_scheduler, &L::milestones, Above(0),
          "epochs, increasing, from which multistep multiplies by gamma once more, e.g. [150, 250]"),
      Row("lr_scheduler.gamma", &Config::lr_scheduler, &L::gamma, Range{.min = 0, .max = 1, .open_min = true},
          "multistep's factor at each milestone"),
      Row("lr_scheduler.warmup_epochs", &Config::lr_scheduler, &L::warmup_epochs, AtLeast(0),
          "epochs (fractions allowed, fewer than train.epochs) over which the rate rises to optimizer.lr"),
  };
}

std::vector<Key> TrainKeys() {
  using T = TrainConfig;
  return {
      Row("train.epochs", &Config::train, &T::epochs, Between(1, 1e6), "passes over the training images"),
      Row("train.steps", &Config::train, &T::steps, AtLeast(0),
          "stop after so many steps; 0: after all the steps of train.epochs"),
  };
}

std::vector<Key> CommKeys() {
  using C = CommConfig;
  return {
      Row("comm.method", &Config::comm, &C::method, NotEmpty{}, "how gradients are sent: a row of `gradwire list`"),
      Row("comm.compressor", &Config::comm, &C::compressor, NotEmpty{},
          "compressor spec, e.g. sign, topk:1%, topk:5000; see `gradwire list`; auto: the method's usual one"),
      Row("comm.learner", &Config::comm, &C::learner, NotEmpty{},
          "compressor spec of the shift that some methods learn beside their link; auto: the method's usual one"),
      Row("comm.down", &Config::comm, &C::down, OneOf{{"auto", "none", "raw", "ef", "dore"}},
          "link of the way back from the owners of the pieces; auto: the method's"),
      Row("comm.down_compressor", &Config::comm, &C::down_compressor, NotEmpty{},
          "compressor spec of the way back; auto: the method's, else that of the way up"),
      Row("comm.topology", &Config::comm, &C::topology, OneOf{{"auto", "allgather", "sharded", "allreduce"}},
          "how messages travel; auto: sharded with a way back, allreduce where messages can be summed, else allgather"),
      Row("comm.alpha", &Config::comm, &C::alpha, NotEmpty{},
          "share of a message that moves the shift, 0 to 1; auto: the method's"),
      Row("comm.eta", &Config::comm, &C::eta, NotEmpty{},
          "share of the memory that joins a message (econtrol, dore), 0 to 1; auto: the method's"),
      Row("comm.beta", &Config::comm, &C::beta, NotEmpty{},
          "share of an owner's message that the model takes (dore), 0 to 1; auto: the method's"),
      Row("comm.zeta", &Config::comm, &C::zeta, NotEmpty{},
          "how wrong an estimate may become, against the change of the gradient, before it is sent (lag, clag), from "
          "0; "
          "auto: the method's"),
      Row("comm.noise", &Config::comm, &C::noise, AtLeast(0),
          "standard deviation of Gaussian noise on every number that is sent, for differential privacy (clip, "
          "identity)"),
      Row("comm.opening", &Config::comm, &C::opening, OneOf{{"auto", "dense", "compressed"}},
          "first message of a link with a shift, which starts at what was sent; auto: the method's"),
      Row("comm.p", &Config::comm, &C::p, NotEmpty{},
          "probability of a dense round (marina), or that a piece is sent (cbag), 0 to 1; auto: the method's"),
      Row("comm.piece", &Config::comm, &C::piece, OneOf{{"fixed", "tensor"}},
          "what a compressor works on; fixed: 65,536 elements of one parameter; tensor: a whole parameter"),
      Row("comm.min_compress_numel", &Config::comm, &C::min_compress_numel, AtLeast(0),
          "parameters with fewer elements travel dense, in the same message"),
      Row("comm.compress_1d", &Config::comm, &C::compress_1d, AnyValue{},
          "whether 1-D parameters (biases, norms) are compressed as well"),
      Row("comm.start_iter", &Config::comm, &C::start_iter, AtLeast(0), "the first steps, so many, are dense"),
      Row("comm.bucket_cap_mb", &Config::comm, &C::bucket_cap_mb, Between(0.001, 65536), "DDP's bucket size, MiB"),
      Row("comm.timeout_s", &Config::comm, &C::timeout_s, Between(0.001, 1e6),
          "seconds that any wait for another rank may take before the run stops with an error"),
  };
}

std::vector<Key> LogKeys() {
  using L = LogConfig;
  return {
      Row("log.every_steps", &Config::log, &L::every_steps, AtLeast(1), "steps between two records in metrics.jsonl"),
      Row("log.eval_every", &Config::log, &L::eval_every, AtLeast(1), "epochs between two evaluations on the test set"),
  };
}

}  // namespace

const std::vector<Key>& Keys() {
  static const std::vector<Key> keys = [] {
    std::vector<Key> all;
    for (std::vector<Key>& section : std::vector{RunKeys(), ObjectiveKeys(), DataKeys(), ModelKeys(), OptimizerKeys(),
                                                 LrSchedulerKeys(), TrainKeys(), CommKeys(), LogKeys()})
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

const Key* FindKey(std::string_view name) {
  const auto found = std::find_if(Keys().begin(), Keys().end(), [&](const Key& key) { return key.name == name; });
  return found == Keys().end() ? nullptr : &*found;
}

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
