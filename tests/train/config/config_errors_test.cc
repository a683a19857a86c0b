// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/config_file.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;

struct BadConfig {
  const char* name;
  std::string yaml;
  std::vector<std::string> words;
  std::vector<std::string> fragments;  ///< all of them must be in the message
};

/// For the names of the tests.
void PrintTo(const BadConfig& bad, std::ostream* out) { *out << bad.name; }

std::vector<BadConfig> BadFiles() {
  return {
      {"UnknownKey",
       "run:\n  seed: 1\noptimizer:\n  learning_rate: 1\n",
       {},
       {".yaml:4: unknown key 'optimizer.learning_rate'", "lr, momentum, nesterov"}},
      {"MisspeltKey",
       "data:\n  batchsize: 1\n",
       {},
       {".yaml:2: ", "'data.batchsize'", "nearest key is data.batch_size"}},
      {"KeyOfAnotherSection", "model:\n  lr: 1\n", {}, {".yaml:2: ", "'model.lr'", "nearest key is optimizer.lr"}},
      {"UnknownSection",
       "optimiser:\n  lr: 1\n",
       {},
       {".yaml:1: unknown section 'optimiser'", "optimizer, lr_scheduler"}},
      {"KeyWithoutSection", "\nlr: 1\n", {}, {".yaml:2: unknown section 'lr'", "nearest key is optimizer.lr"}},
      {"DottedKey", "optimizer.lr: 1\n", {}, {".yaml:1: ", "'optimizer.lr'", "indented below"}},
      {"MergeKey",
       "run: &r\n  seed: 1\ndata:\n  <<: *r\n",
       {},
       {".yaml:4: unknown key 'data.<<'", "merge keys are not read"}},
      {"CommaWithinFlowStyle",
       "comm: {compressor: induced(topk:1%,randk:1%)}\n",
       {},
       {".yaml:1: unknown key 'comm.randk:1%)'", "put one that has commas in quotes"}},
      {"StrayComma", ",", {}, {".yaml:1: "}},
      {"AliasOfItself", "run: {seed: &a [*a]}\n", {}, {".yaml:1: an alias stands within what it names"}},
      {"Packed", "\x1f\x8b\x08", {}, {".yaml: is packed; expected YAML text: gunzip it"}},
      {"ControlCharacter", "run:\n  seed: \x01\n", {}, {".yaml:2: found the byte \\x01, expected YAML text"}},
      {"HardSpace", "run:\n \xc2\xa0seed: 1\n", {}, {".yaml:2: unknown key 'run.\\u{00a0}seed'"}},
      {"SectionIsAScalar", "optimizer: 3\n", {}, {".yaml:1: section optimizer: found '3', expected a map"}},
      {"SectionIsAList", "optimizer:\n  - lr: 1\n", {}, {".yaml:1: section optimizer: found [a map], expected a map"}},
      {"DocumentIsAScalar", "lr\n", {}, {".yaml:1: found 'lr', expected a map of the sections run, objective, data"}},
      {"DocumentIsAList", "\n- run\n", {}, {".yaml:2: found [run], expected a map"}},
      {"NameIsAList", "run:\n  ? [a]\n  : 1\n", {}, {".yaml:2: found [a] as the name of a key, expected a word"}},
      {"NameIsNothing", "~: 1\n", {}, {".yaml:1: found nothing as the name of a key"}},
      {"DuplicateKey", "run:\n  seed: 1\n  seed: 2\n", {}, {".yaml:3: run.seed is given twice, first at ", ".yaml:2"}},
      {"DuplicateSection",
       "run:\n  seed: 1\nrun:\n  nproc: 2\n",
       {},
       {".yaml:3: run is given twice, first at ", ".yaml:1"}},
      {"BrokenYaml", "run:\n  seed: [1\ndata: {\n", {}, {".yaml:", "not valid YAML"}},
      {"Tab", "run:\n\tseed: 1\n", {}, {".yaml:2: not valid YAML", "indented with a tab: expected spaces"}},
      {"SectionWithinASection",
       "run:\n  seed: 1\n  data:\n    batch_size: 3\n",
       {},
       {".yaml:3: unknown key 'run.data'", "data is a section"}},
      {"ColonWithoutSpace", "run:\n  seed:1\n", {}, {".yaml:1: section run: found 'seed:1'", "'key: value'"}},
      {"IndentOfItsOwn", "run:\n  seed: 1\n   nproc: 2\n", {}, {".yaml:3: not valid YAML", "indented otherwise"}},
      {"Thousands", "train: {steps: 1,000}\n", {}, {"unknown key 'train.000'", "a comma ends a value"}},
      {"CurlyQuotes", "model: {name: \u201cresnet8\u201d}\n", {}, {"model.name: found", "no quotes to YAML"}},
      {"UnknownAlias", "run:\n  seed: *x\n", {}, {".yaml:2: not valid YAML"}},
      {"SecondDocument",
       "run:\n  seed: 1\n---\nrun:\n  seed: 2\n",
       {},
       {".yaml:3: the first YAML document ends before this line"}},
  };
}

std::string Nested(size_t depth) {
  std::string spec;
  for (size_t i = 0; i < depth; ++i) spec += "unscale(";
  return spec + "qsgd:7" + std::string(depth, ')');
}

std::vector<BadConfig> BadValues() {
  return {
      {"TheoryOfANetwork",
       "optimizer:\n  lr: theory\n",
       {},
       {".yaml:2: optimizer.lr: found theory, expected a number because objective.name is network"}},
      {"StepSizeIsAWord", "optimizer:\n  lr: theorem\n", {}, {"found 'theorem', expected a number >= 0 or theory"}},
      {"IntegerIsAWord",
       "data:\n  batch_size: many\n",
       {},
       {".yaml:2: data.batch_size: found 'many', expected an integer >= 1 and <= 65536"}},
      {"IntegerIsAFraction", "train: {epochs: 1.5}", {}, {"train.epochs: found '1.5', expected an integer >= 1"}},
      {"IntegerIsQuoted", "train: {epochs: \"3\"}", {}, {"train.epochs: found the text \"3\", expected an integer"}},
      {"IntegerIsAList", "train: {epochs: [3]}", {}, {"train.epochs: found [3], expected an integer"}},
      {"IntegerIsAMap", "train: {epochs: {a: 3}}", {}, {"train.epochs: found a map, expected an integer"}},
      {"IntegerIsNothing", "train:\n  epochs:\n", {}, {".yaml:2: train.epochs: found nothing, expected an integer"}},
      {"IntegerIsHexadecimal", "train: {epochs: 0x10}", {}, {"train.epochs: found '0x10', expected an integer"}},
      {"IntegerTooSmall", "run: {nproc: 0}", {}, {"run.nproc: found '0', expected an integer >= 1 and <= 1024"}},
      {"IntegerTooLarge", "run: {nproc: 1025}", {}, {"run.nproc: found '1025'"}},
      {"IntegerBeyond64Bits", "run: {seed: 18446744073709551616}", {}, {"run.seed: found '18446744073709551616'"}},
      {"NegativeSeed", "run: {seed: -1}", {}, {"run.seed: found '-1', expected an integer >= 0"}},
      {"NumberIsAWord", "optimizer: {lr: fast}", {}, {"optimizer.lr: found 'fast', expected a number >= 0"}},
      {"NumberWithAUnit", "comm: {timeout_s: 3s}", {}, {"comm.timeout_s: found '3s', expected a number"}},
      {"NumberIsNan", "optimizer: {lr: nan}", {}, {"optimizer.lr: found 'nan', expected a number >= 0"}},
      {"NumberIsInfinite", "optimizer: {lr: inf}", {}, {"optimizer.lr: found 'inf', expected a number >= 0"}},
      {"NumberTooSmall", "optimizer: {lr: -0.1}", {}, {"optimizer.lr: found '-0.1', expected a number >= 0"}},
      {"OpenEnd", "optimizer: {momentum: 1}", {}, {"optimizer.momentum: found '1', expected a number >= 0 and < 1"}},
      {"OpenBegin", "lr_scheduler: {gamma: 0}", {}, {"lr_scheduler.gamma: found '0', expected a number > 0 and <= 1"}},
      {"BooleanIsANumber", "optimizer: {nesterov: 1}", {}, {"optimizer.nesterov: found '1', expected true or false"}},
      {"UnknownChoice",
       "model: {name: resnet50}",
       {},
       {"model.name: found 'resnet50', expected one of resnet18, resnet20, resnet8"}},
      {"TextIsAList", "model: {init: [a]}", {}, {"model.init: found [a], expected a path"}},
      {"PathIsEmpty", "run: {output_dir: \"\"}", {}, {"run.output_dir: ", "expected a path that is not empty"}},
      {"PathOfAnotherHome", "data: {root: ~me/images}", {}, {"data.root: found '~me/images', expected a path", "./~"}},
      {"DeepSpec",
       "",
       {"comm.compressor=" + Nested(30'000)},
       {"comm.compressor: compressor 'unscale(unscale(", "is longer than 1000 bytes"}},
      {"DeepShortSpec", "", {"comm.compressor=" + Nested(17)}, {"within each other, 17 deep; expected at most 16"}},
      {"LocalKeyOfASynchronousRun",
       "local:\n  sync_every: 4\n",
       {},
       {".yaml:2: local.sync_every: found 4, expected the default 8 because train.mode is sync (default value)"}},
      {"TheoryOfModelRounds",
       "objective: {name: quadratic, data: qh}\ntrain: {steps: 5, mode: local}\noptimizer: {lr: theory}\n",
       {},
       {".yaml:3: optimizer.lr: found theory", "train.mode is local"}},
      {"AnchorWithoutItsEstimator",
       "train: {mode: local}\nlocal:\n  shift: anchor\n  anchor_p: 0.1\n",
       {},
       {".yaml:3: local.shift: found anchor, expected none, skip or learn because objective.name is network"}},
      {"AnchorOfAConvexOneWithoutItsEstimator",
       "objective: {name: quadratic}\ntrain: {mode: local, steps: 5}\nlocal: {shift: anchor, anchor_p: 0.1}\n",
       {},
       {"objective.estimator: found auto, expected anchored", "local.shift is anchor"}},
      {"AnchoredWithoutItsShift",
       "objective: {name: quadratic, data: qh, estimator: anchored}\ntrain: {steps: 5}\noptimizer: {lr: 0.01}\n",
       {},
       {".yaml:1: objective.estimator: found anchored", "train.mode is sync"}},
      {"DelayedLocal",
       "train:\n  mode: local\n  delay: 2\n",
       {},
       {".yaml:3: train.delay: found 2, expected 0 because train.mode is local"}},
      {"AsyncServerAlone",
       "run: {nproc: 1}\ntrain:\n  mode: async\n",
       {},
       {".yaml:1: run.nproc: found 1, expected at least 2", "async.server is dedicated"}},
      {"AsyncNetworkOnAClock",
       "train: {mode: async}\nasync:\n  speeds: [1, 4]\n",
       {},
       {".yaml:3: async.speeds: found [1, 4], expected the default", "train.slow_rank"}},
      {"AsyncDown", "train: {mode: async}\nasync:\n  down: topp:1%\n", {}, {".yaml:3: async.down: ", "topp", "topk"}},
      {"AsyncWaitsForMoreThanThereAre",
       "run: {launch: threads, nproc: 10}\nobjective: {name: quadratic, data: qh}\ntrain: {mode: async, steps: 5}\n"
       "comm: {method: none, compressor: identity}\nasync:\n  wait_for: 11\n",
       {},
       {".yaml:6: async.wait_for: found 11, expected at most the number of workers"}},
      {"MinutesBelowZero", "checkpoint: {every_minutes: -1}", {}, {"found '-1', expected a number >= 0"}},
      {"NothingIsKept", "checkpoint: {keep_last: 0}", {}, {"found '0', expected an integer >= 1"}},
      {"ResumeIsEmpty", "checkpoint: {resume: \"\"}", {}, {"checkpoint.resume: ", "expected a path that is not empty"}},
      {"ListIsANumber",
       "lr_scheduler: {milestones: 30}",
       {},
       {"lr_scheduler.milestones: found '30', expected a list of numbers > 0"}},
      {"ListHoldsAWord", "lr_scheduler: {milestones: [1, x]}", {}, {"found [1, x], expected a list of numbers > 0"}},
      {"ListHoldsZero", "lr_scheduler: {milestones: [0, 1]}", {}, {"found [0, 1], expected a list of numbers > 0"}},
  };
}

std::vector<BadConfig> BadWords() {
  return {
      {"WordWithoutEquals", "", {"optimizer.lr"}, {"command line, 'optimizer.lr': expected section.key=value"}},
      {"WordWithoutKey", "", {"=3"}, {"command line, '=3': expected section.key=value"}},
      {"WordOfAnUnknownKey",
       "",
       {"optimizer.rl=1"},
       {"command line, 'optimizer.rl=1': unknown key 'optimizer.rl'", "nearest key is optimizer.lr"}},
      {"WordOfAnUnknownSection",
       "",
       {"opt.lr=1"},
       {"command line, 'opt.lr=1': unknown key 'opt.lr'", "run, objective, data, model",
        "nearest key is optimizer.lr"}},
      {"WordWithoutSection", "", {"lr=1"}, {"command line, 'lr=1': ", "nearest key is optimizer.lr"}},
      {"WordOfASection", "", {"optimizer=1"}, {"command line, 'optimizer=1': unknown key 'optimizer'"}},
      {"BadWordValue",
       "",
       {"optimizer.lr=x"},
       {"command line, 'optimizer.lr=x': optimizer.lr: found 'x', expected a number"}},
      {"EmptyWordValue", "", {"optimizer.lr="}, {"command line, 'optimizer.lr=': optimizer.lr: found ''"}},
      {"BrokenListWord",
       "",
       {"lr_scheduler.milestones=[1,"},
       {"'lr_scheduler.milestones=[1,'", "a list of numbers > 0"}},
      {"WordTwice",
       "",
       {"run.seed=1", "run.seed=2"},
       {"command line, 'run.seed=2': run.seed is given twice, first at command line, 'run.seed=1'"}},
      {"BadFileValueBehindAGoodWord", "optimizer: {lr: x}", {"optimizer.lr=1"}, {".yaml:1: optimizer.lr: found 'x'"}},
  };
}

std::vector<BadConfig> BadTogether() {
  return {
      {"NesterovWithoutMomentum",
       "optimizer:\n  nesterov: true\n  momentum: 0\n",
       {},
       {".yaml:3: optimizer.momentum: found 0", "nesterov is true", ".yaml:2"}},
      {"NesterovByDefault",
       "",
       {"optimizer.momentum=0"},
       {"command line, 'optimizer.momentum=0'", "nesterov is true (default value)"}},
      {"MilestonesFall",
       "lr_scheduler:\n  name: multistep\n  milestones: [3, 2]\n",
       {},
       {".yaml:3: lr_scheduler.milestones: found [3, 2], expected epochs that increase"}},
      {"MilestonesRepeat",
       "lr_scheduler: {name: multistep, milestones: [2, 2]}",
       {},
       {"expected epochs that increase"}},
      {"MultistepWithoutMilestones",
       "lr_scheduler:\n  name: multistep\n",
       {},
       {".yaml:2: lr_scheduler.name", "milestones"}},
      {"MilestonesWithoutMultistep",
       "lr_scheduler: {name: multistep, milestones: [1]}",
       {"lr_scheduler.name=cosine"},
       {".yaml:1: lr_scheduler.milestones: found [1]", "cosine", "multistep alone"}},
      {"WarmupAsLongAsTheRun",
       "train:\n  epochs: 3\nlr_scheduler:\n  warmup_epochs: 3\n",
       {},
       {".yaml:4: lr_scheduler.warmup_epochs: found 3, expected fewer than train.epochs, which is 3", ".yaml:2"}},
      {"ThreadsForANetwork",
       "run:\n  launch: threads\n",
       {},
       {".yaml:2: run.launch: found threads, expected processes because objective.name is network"}},
      {"SolutionsOfANetwork",
       "comm:\n  method: ec_lsvrg_star\n",
       {},
       {".yaml:2: comm.method: ec_lsvrg_star needs each worker's gradient at the solution", "expected ec_diana"}},
      {"AnchorsOfALocalNetwork",
       "comm:\n  method: vr_diana\ntrain:\n  mode: local\n",
       {},
       {".yaml:2: comm.method: found vr_diana, whose gradients have one anchor of all ranks", "train.mode is local"}},
      {"MomentaOfShifts",
       "comm:\n  method: clip21_sgd2m\ntrain:\n  mode: local\nlocal:\n  shift: learn\n",
       {},
       {"comm.ema: found auto, which is 0.1 of method clip21_sgd2m; expected 1", "local.shift is learn"}},
      {"FoldersOfBuiltInImages",
       "data:\n  dataset: synthetic100\n  root: /images\n",
       {},
       {".yaml:3: data.root: found /images", "data.dataset is synthetic100"}},
      {"AnchorsOfAnAsynchronousNetwork",
       "comm:\n  method: vr_diana\ntrain:\n  mode: async\n",
       {},
       {".yaml:2: comm.method: found vr_diana, whose gradients have one anchor", "expected diana",
        "train.mode is async"}},
      {"ObjectiveOfANetwork",
       "objective:\n  batch: 7\n",
       {},
       {".yaml:2: objective.batch: found 7, expected the default 1 because objective.name is network"}},
      {"ChangesOfGradientsThatAreNotExchanged",
       "train: {mode: local}\ncomm: {method: marina}\n",
       {},
       {".yaml:2: comm.method: found marina, whose changes are of one batch at two points", "train.mode is local"}},
      {"ChangesOfOtherBatches",
       "objective: {name: quadratic, estimator: sgd}\ntrain: {steps: 1}\ncomm: {method: marina}\n",
       {},
       {".yaml:1: objective.estimator: found sgd, expected auto, full or diff"}},
      {"ChangesThatNobodyRestarts",
       "objective: {name: quadratic, estimator: diff}\ntrain: {steps: 1}\ncomm: {method: dcgd}\n",
       {},
       {".yaml:1: objective.estimator: found diff, expected another one"}},
      {"TheoryOfFallingSteps",
       "objective: {name: quadratic}\ntrain: {steps: 1}\noptimizer: {lr: theory}\nlr_scheduler: {name: cosine}\n",
       {},
       {".yaml:3: optimizer.lr: found theory, whose steps are constant", "lr_scheduler.name is cosine"}},
      {"TheoryOfStaleSteps",
       "objective: {name: quadratic}\ntrain: {steps: 1, delay: 2}\noptimizer: {lr: theory}\n",
       {},
       {"train.delay: found 2, expected 0 because optimizer.lr is theory"}},
      {"NoiseOnAPartOfANetwork",
       "comm: {method: clip21, compressor: 'clip:1:piece', noise: 0.5}\n",
       {},
       {".yaml:1: comm.noise: 0.5: parameters of fewer than 1024 elements", "comm.compress_1d: true"}},
      {"VotesWithoutRounds",
       "train: {mode: async}\ncomm: {method: signsgd_mv, topology: allgather}\n",
       {},
       {"comm.method: found signsgd_mv, expected one whose workers need no vote"}},
      {"LogisticOnQuadratics",
       "objective:\n  name: logistic\n  data: qh\ntrain: {steps: 1}\n",
       {},
       {".yaml:3: objective.data: found qh, expected lr, lr2 or a LIBSVM file", "is logistic", ".yaml:2"}},
      {"QuadraticOnAFile",
       "objective:\n  name: quadratic\n  data: a9a\ntrain: {steps: 1}\n",
       {},
       {".yaml:3: objective.data: found a9a, expected q3, qh, qk, two_tilts or graded"}},
      {"ConvexWithoutSteps",
       "objective:\n  name: quadratic\n",
       {},
       {"default value: train.steps: found 0, expected the number of rounds because objective.name is quadratic"}},
      {"ProxWithoutWeight",
       "objective:\n  name: quadratic\n  prox: l1\ntrain: {steps: 1}\n",
       {},
       {"objective.prox_lambda: found 0 with objective.prox l1", "> 0 for l1"}},
      {"InverseWithoutShift",
       "lr_scheduler:\n  name: inverse\n",
       {},
       {"lr_scheduler.shift: found 0, expected a number of steps > 0", ".yaml:2"}},
      {"ShiftOfAnotherSchedule", "", {"lr_scheduler.shift=3"}, {"lr_scheduler.shift: found 3, expected 0"}},
      {"PartOfTheWorkersWithMemory",
       "comm:\n  method: ef\n  participation: iid:50%\n",
       {},
       {".yaml:3: comm.participation: iid:50%: method ef has memory", "dcgd, marina or pp_marina"}},
      {"PartOfTheWorkersOnTheirOwn",
       "train: {mode: async}\ncomm: {method: dcgd, participation: iid:50%}\n",
       {},
       {"comm.participation: found iid:50%, expected all, since workers have no rounds in common, because train.mode"}},
      {"PartOfTheWorkersWithShifts",
       "train: {mode: local}\nlocal: {shift: skip}\ncomm: {method: dcgd, participation: iid:50%}\n",
       {},
       {"comm.participation: found iid:50%, expected all: every worker's shift moves", "local.shift is skip"}},
      {"PartOfPlainGradients",
       "comm: {method: none, compressor: auto, participation: nice:50%}\n",
       {},
       {"comm.participation: nice:50%: method none is plain gradients"}},
      {"PartOfASum",
       "comm: {method: dcgd, compressor: randk:1%:common, participation: nice:50%, topology: allreduce}\n",
       {},
       {"comm.topology: allreduce sums all ranks' messages, and comm.participation is nice:50%"}},
      {"PartOfTheWorkersByNumber",
       "comm: {method: dcgd, participation: iid:3}\n",
       {},
       {"comm.participation: found 'iid:3', expected all, iid:P%, nice:P%, independent:P%,P%,... or sets:"}},
      {"UnknownMethod", "comm:\n  start_iter: 0\n  method: eff\n", {}, {".yaml:3: comm.method: "}},
      {"UnknownCompressor", "", {"comm.compressor=sing"}, {"command line, 'comm.compressor=sing': comm.compressor: "}},
  };
}

class ConfigErrors : public testing::TestWithParam<BadConfig> {};

TEST_P(ConfigErrors, SayWhereWhatAndWhatWasExpected) {
  const BadConfig& bad = GetParam();
  try {
    Load(bad.yaml, bad.words);
    FAIL() << "accepted:\n" << bad.yaml;
  } catch (const ConfigError& error) {
    for (const std::string& fragment : bad.fragments) EXPECT_THAT(error.what(), HasSubstr(fragment));
  }
}

INSTANTIATE_TEST_SUITE_P(File, ConfigErrors, testing::ValuesIn(BadFiles()));
INSTANTIATE_TEST_SUITE_P(Value, ConfigErrors, testing::ValuesIn(BadValues()));
INSTANTIATE_TEST_SUITE_P(Word, ConfigErrors, testing::ValuesIn(BadWords()));
INSTANTIATE_TEST_SUITE_P(Together, ConfigErrors, testing::ValuesIn(BadTogether()));

void ExpectUnreadable(const std::string& path, const std::string& why) {
  try {
    LoadConfig(path, {});
    FAIL() << "read " << path;
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path + ": cannot be read (" + why + ")"));
  }
}

TEST(UnreadableConfig, IsNotAnEmptyOne) {
  ExpectUnreadable("/no/such/file.yaml", "No such file or directory");
  ExpectUnreadable(testing::TempDir(), "it is a folder");
}

}  // namespace
}  // namespace gradwire::train
