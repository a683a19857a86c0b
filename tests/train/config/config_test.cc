// SPDX-License-Identifier: Apache-2.0
#include "train/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <iterator>

#include "tests/train/config_file.h"
#include "train/config/config_keys.h"

namespace gradwire::train {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

TEST(Config, EmptyFileGivesTheDefaults) {
  for (const char* yaml : {"", "\n\n", "# nothing\n", "---\n", "optimizer:\n"}) {
    Config defaults;
    defaults.run.output_dir = Load(yaml).run.output_dir;
    defaults.comm.method = "ef";        // in place of auto, as are the next two
    defaults.comm.compressor = "sign";  // ef's usual one
    defaults.comm.when = "pays";        // since nothing is named
    defaults.objective.star_shift = false;
    defaults.model.num_classes = 10;  // of data.dataset
    EXPECT_EQ(ToYaml(Load(yaml)), ToYaml(defaults)) << "'" << yaml << "'";
    EXPECT_EQ(ToYaml(Load(ToYaml(defaults))), ToYaml(defaults)) << "what is printed means the same";
  }
}

TEST(Config, AModelHasTheClassesOfItsImagesUnlessToldOtherwise) {
  const Config config = Load("data: {dataset: cifar100}\n");
  EXPECT_EQ(config.model.num_classes, 100);
  EXPECT_EQ(ToYaml(Load(ToYaml(config))), ToYaml(config));
  EXPECT_EQ(Load("data: {dataset: cifar100}\nmodel: {num_classes: 200}\n").model.num_classes, 200);
  EXPECT_EQ(Load("data: {dataset: fashion_mnist}\n").model.num_classes, 10);
}

TEST(Config, DefaultsAreTheDocumentedOnes) {
  const Config config = Load("");
  EXPECT_EQ(config.run.nproc, 2);
  EXPECT_EQ(config.data.dataset, "auto");
  EXPECT_EQ(config.data.batch_size, 64);
  EXPECT_EQ(config.optimizer.weight_decay, 5e-4);
  EXPECT_TRUE(config.optimizer.nesterov);
  EXPECT_EQ(config.comm.method, "ef");
  EXPECT_EQ(config.comm.timeout_s, 300);
}

TEST(Config, OutputFolderIsNamedAfterTheFile) {
  const ConfigFile file("", "resnet20_ef");
  const std::string stem = "resnet20_ef." + std::to_string(getpid());
  EXPECT_EQ(LoadConfig(file.path(), {}).run.output_dir, "runs/" + stem);
  EXPECT_EQ(LoadConfig(file.path(), {ParseOverride("run.output_dir=/x/y")}).run.output_dir, "/x/y");
}

TEST(Config, CommandLineWinsOverTheFileAndTheFileOverDefaults) {
  const Config config = Load("optimizer:\n  lr: 0.5\n  momentum: 0.8\n", {"optimizer.lr=0.25"});
  EXPECT_EQ(config.optimizer.lr, 0.25);
  EXPECT_EQ(config.optimizer.momentum, 0.8);
  EXPECT_EQ(config.optimizer.weight_decay, 5e-4);
}

TEST(Config, EveryValueRemembersItsPlace) {
  const Config config = Load("# a comment\noptimizer:\n\n  lr: 0.5\n  momentum: 0.8\n", {"optimizer.lr=0.25"});
  EXPECT_EQ(config.PlaceOf("optimizer.lr"), "command line, 'optimizer.lr=0.25'");
  EXPECT_THAT(config.PlaceOf("optimizer.momentum"), EndsWith(".yaml:5"));
  EXPECT_EQ(config.PlaceOf("optimizer.nesterov"), "default value");
  EXPECT_STREQ(ErrorAt(config, "optimizer.lr", "too hot").what(),
               "command line, 'optimizer.lr=0.25': optimizer.lr: too hot");
}

TEST(Config, FlowStyleAnchorsAndQuotesAreYamlLikeAnyOther) {
  const Config config = Load(
      "optimizer: {lr: &rate 0.5, weight_decay: *rate}\nmodel: {name: \"resnet8\"}\n"
      "lr_scheduler: {name: multistep, milestones: [1, 2.5]}\n");
  EXPECT_EQ(config.optimizer.weight_decay, 0.5);
  EXPECT_EQ(config.model.name, "resnet8");
  EXPECT_EQ(config.lr_scheduler.milestones, (std::vector{1, 2.5}));
}

TEST(Config, ATildeIsTheHomeFolderInEveryPath) {
  const std::string home = std::getenv("HOME");
  for (const char* key : {"run.output_dir", "data.root", "model.init", "checkpoint.resume", "objective.data"}) {
    Config config;
    EXPECT_TRUE(FindKey(key)->read(ConfigValue::Plain("~/x/y"), config));
    EXPECT_EQ(FindKey(key)->print(config), home + "/x/y") << key;
    EXPECT_TRUE(FindKey(key)->read(ConfigValue::Plain("~"), config));
    EXPECT_EQ(FindKey(key)->print(config), home) << key;
    EXPECT_TRUE(FindKey(key)->read(ConfigValue::Plain("a/~"), config));
    EXPECT_FALSE(FindKey(key)->read(ConfigValue::Plain("~somebody/x"), config)) << key;
  }
  EXPECT_EQ(Load("run: {output_dir: ~/runs/a}").run.output_dir, home + "/runs/a");
}

TEST(Config, CommandLineTextIsTakenAsItIs) {
  for (const char* text :
       {"a b", "a=b", "x: y", "a #b", "'x'", "\"", "[x]", "{", "*x", "&x", "!x", "%x", "@x", "-", "? x"})
    EXPECT_EQ(Load("", {std::string("model.init=") + text}).model.init, text);
  EXPECT_EQ(Load("model: {init: x}", {"model.init="}).model.init, "");
  EXPECT_EQ(Load("", {"lr_scheduler.name=multistep", "lr_scheduler.milestones=[1, 2]"}).lr_scheduler.milestones,
            (std::vector<double>{1, 2}));
}

/// A value that the key allows and that is not its default.
ConfigValue AnotherValue(const Key& key) {
  if (key.type.starts_with("boolean")) return ConfigValue::Plain(key.default_text == "true" ? "false" : "true");
  if (key.type.starts_with("number")) {
    Config scratch;
    const ConfigValue small = ConfigValue::Plain("0.12345");
    return key.read(small, scratch) ? small : ConfigValue::Plain("1.2345");
  }
  if (key.type.starts_with("integer")) return ConfigValue::Plain("7");
  if (key.is_list) return {ConfigValue::Kind::kList, "", {ConfigValue::Plain("0.5"), ConfigValue::Plain("0.75")}};
  const size_t last = key.range.rfind(' ');  // "one of a, b, c"
  if (key.range.starts_with("one of ")) return ConfigValue::Plain(key.range.substr(last + 1));
  // Any word, or one of objective.noise, objective.attack or objective.inner.
  for (const char* word : {"elsewhere", "absolute:0.5", "sign_flip:3", "cg:7"})
    if (Config scratch; key.read(ConfigValue::Plain(word), scratch)) return ConfigValue::Plain(word);
  ADD_FAILURE() << key.name << " takes none of the words";
  return ConfigValue::Plain("");
}

TEST(Keys, EachRowReadsAndPrintsItsOwnMemberAlone) {
  for (const Key& key : Keys()) {
    Config config;
    ASSERT_TRUE(key.read(AnotherValue(key), config)) << key.name;
    for (const Key& other : Keys()) {
      if (other.name == key.name) {
        EXPECT_NE(other.print(config), other.print(Config{})) << key.name;
      } else {
        EXPECT_EQ(other.print(config), other.print(Config{})) << key.name << " changed " << other.name;
      }
    }
  }
}

TEST(Keys, PrintedConfigLoadsBackToItself) {
  Config config;
  for (const Key& key : Keys()) ASSERT_TRUE(key.read(AnotherValue(key), config)) << key.name;
  config.lr_scheduler.name = "multistep";  // the only one with milestones
  config.comm = {};                        // "elsewhere" is no method
  config.comm.start_iter = 7;
  config.comm.method = "ef", config.comm.compressor = "sign";  // auto would be replaced by them
  config.comm.when = "always";                                 // of the mode that is set
  config.objective = {};                                       // a network alone takes milestones, and processes
  config.objective.star_shift = false;                         // auto would be replaced by it
  config.data.root = DataConfig{}.root;                        // the synthetic images have none
  config.run.launch = "processes";
  config.run.threads = RunConfig{}.threads;  // of launch threads
  config.train.mode = "local";
  config.async = {}, config.newton = {}, config.gossip = {};
  config.train.delay = 0;
  config.lr_scheduler.shift = 0;  // of inverse
  config.local.shift = "none";    // comm.method has a memory
  config.local.random = 0;        // sync_every has a value
  config.local.gradient_p = {1};
  config.local.anchor_p = 0;
  config.log.average = "none";  // of convex problems
  config.analysis = {};         // of gradient rounds
  EXPECT_EQ(ToYaml(Load(ToYaml(config))), ToYaml(config));
}

TEST(Keys, AnyTextSurvivesPrintingAndLoading) {
  Config config = Load("");
  for (const char* text :
       {"",   "a b", "true", "5", "1e3", "a~", "null", "'x'", "\"", "a: b", "#c",  "a #b", "tab\tline\nend",
        "ü",  "[x]", "{",    "-", "- x", "%",  "@x",   "*x",  "&x", "!x",   "? x", " x ",  "---",
        "\\", ","}) {
    config.model.init = text;
    EXPECT_EQ(Load(ToYaml(config)).model.init, text);
  }
}

TEST(Keys, AnyNumberSurvivesPrintingAndLoading) {
  Config config = Load("");
  for (const double number : {0.0, 1e-5, 5e-4, 1.0 / 3, 25.0, 1e22, 4.9e-324, 1.7976931348623157e308}) {
    config.optimizer.lr = number;
    EXPECT_EQ(Load(ToYaml(config)).optimizer.lr, number);
  }
}

TEST(Keys, TheoryIsAStepSize) {
  const char* yaml = "{objective: {name: quadratic}, train: {steps: 1}, optimizer: {lr: theory}}";
  EXPECT_TRUE(Load(yaml).optimizer.lr.is_theory);
  EXPECT_THAT(ToYaml(Load(yaml)), HasSubstr("lr: theory\n"));
  EXPECT_FALSE(Load(yaml, {"optimizer.lr=0.5"}).optimizer.lr.is_theory);
}

TEST(Keys, WhatIsLeftToTheMethodIsPrintedAsItRuns) {
  const char* yaml = "{objective: {name: quadratic}, train: {steps: 1}}";
  EXPECT_THAT(ToYaml(Load(yaml, {"comm.method=ec_star"})), HasSubstr("star_shift: true\n"));
  EXPECT_THAT(ToYaml(Load(yaml, {"comm.method=ec_star", "objective.star_shift=false"})),
              HasSubstr("star_shift: false\n"));
}

TEST(Keys, WhetherItPaysIsAQuestionWhereNothingIsNamed) {
  EXPECT_EQ(Load("").comm.when, "pays");
  EXPECT_EQ(Load("comm: {topology: sharded}").comm.when, "pays");
  EXPECT_EQ(Load("comm: {method: ef}").comm.when, "always");
  EXPECT_EQ(Load("comm: {compressor: sign}").comm.when, "always");
  EXPECT_EQ(Load("comm: {method: ef, when: pays}").comm.when, "pays");
  EXPECT_EQ(Load("comm: {when: always}").comm.when, "always");
  EXPECT_EQ(Load("train: {mode: local}").comm.when, "always") << "models are exchanged, not gradients";
  EXPECT_EQ(Load("{objective: {name: quadratic}, train: {steps: 1}}").comm.when, "always");
}

TEST(Keys, SmallNumbersArePrintedWithThePointThatPythonsYamlNeeds) {
  EXPECT_THAT(ToYaml(Load("optimizer: {lr: 1e-5}")), HasSubstr("lr: 1.0e-05\n"));
}

TEST(Keys, HelpNamesEveryKeyWithItsDefault) {
  for (const Key& key : Keys())
    EXPECT_THAT(KeysHelp(), HasSubstr("  " + std::string(key.name) + "=" + key.default_text + "\n"));
}

TEST(Keys, ReadmeIsUpToDate) {
  std::ifstream in(GRADWIRE_SOURCE_DIR "/configs/README.md");
  const std::string readme{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(readme, KeysMarkdown()) << "configs/README.md is not what the table of keys says. Run:\n"
                                       "  build/gradwire keys > configs/README.md";
}

}  // namespace
}  // namespace gradwire::train
