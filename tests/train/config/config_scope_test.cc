// SPDX-License-Identifier: Apache-2.0
// Every key is read or refused: in a convex run of every mode a change of it changes the run, or is refused by its
// name. Of networks, whose runs take seconds, test_program.py asks the same (slow).
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/method.h"
#include "tests/train/config_file.h"
#include "tests/train/page_commands.h"
#include "tests/train/run_folder.h"
#include "train/config/config_keys.h"
#include "train/convex/convex_run.h"
#include "train/sweep.h"

namespace gradwire::train {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr const char* kBase = R"(
run: {nproc: 5, launch: threads}
objective: {name: logistic, data: lr}
optimizer: {lr: 0.5}
train: {steps: 9}
log: {every_steps: 4}
)";

struct Case {
  std::string name;
  Words words;
};

/// What there is to be read: problems, estimators, links, saves.
std::vector<Case> Parts() {
  return {
      {"full", {"comm.method=none"}},
      {"quadratic",
       {"run.nproc=10", "objective.name=quadratic", "objective.data=qh", "optimizer.lr=0.01", "comm.method=ef",
        "comm.compressor=topk:2"}},
      {"personal",
       {"objective.name=personal", "objective.data=personalised", "objective.inner=gd:3", "optimizer.lr=0.05",
        "objective.estimator=full", "comm.method=clip21_sgd2m"}},
      {"softmax", {"objective.name=softmax", "optimizer.lr=0.01", "comm.method=ef", "comm.compressor=topk:2"}},
      {"sgd",
       {"objective.estimator=sgd", "comm.method=ef", "comm.compressor=topk:2", "objective.batch=10",
        "checkpoint.every_epochs=1"}},
      {"lsvrg", {"objective.estimator=lsvrg", "comm.method=diana", "comm.compressor=randk:2"}},
      {"saga",
       {"objective.estimator=saga", "objective.sampling=partition", "objective.batch=5", "comm.method=diana",
        "comm.compressor=randk:2"}},
      {"sega", {"objective.estimator=sega", "objective.noise=absolute:0.01", "comm.method=none"}},
      {"independent",
       {"objective.estimator=sgd", "objective.sampling=independent", "objective.probabilities=[0.3, 0.8]",
        "comm.method=none"}},
      {"diff", {"comm.method=vr_marina", "comm.compressor=randk:2", "comm.p=0.05"}},
      {"momentum", {"comm.method=clip21_sgd2m"}},
      {"byzantine", {"objective.byzantine=1", "objective.attack=sign_flip:2", "comm.method=none"}},
      {"steps",
       {"comm.method=dcgd", "comm.compressor=identity", "lr_scheduler.name=multistep", "lr_scheduler.milestones=[3]"}},
  };
}

std::vector<Case> Modes() {
  return {
      {"sync", {}},
      {"delayed", {"train.delay=2"}},
      {"local", {"train.mode=local", "local.sync_every=3", "local.outer_momentum=0.5"}},
      {"random", {"train.mode=local", "local.random=0.5"}},
      {"gossip", {"train.mode=gossip", "gossip.gamma=0.2"}},
      {"push", {"train.mode=gossip", "gossip.method=push_sum", "gossip.graph=star"}},
      {"pairs",
       {"train.mode=gossip", "gossip.method=ad_psgd", "async.speeds=[1, 3, 7]", "async.delay=poisson",
        "train.steps=40"}},
      {"async", {"train.mode=async", "async.speeds=[1, 3, 7]", "train.steps=40"}},
      {"fednl", {"train.mode=newton", "optimizer.lr=0.1", "newton.compressor=topk:6"}},
      {"fednl_pp",
       {"train.mode=newton", "optimizer.lr=0.1", "newton.method=fednl_pp", "newton.map=cbag",
        "newton.compressor=topk:6", "newton.model=topk:5"}},
      {"fednl_cr",
       {"train.mode=newton", "optimizer.lr=0.1", "newton.method=fednl_cr", "newton.cubic=1",
        "newton.compressor=topk:6"}},
      {"newton_3pc_bc",
       {"train.mode=newton", "optimizer.lr=0.1", "newton.method=newton_3pc_bc", "newton.map=3pcv2",
        "newton.learner=randk:9", "newton.compressor=topk:6", "newton.model_map=3pcv2",
        "newton.model_learner=randk:5"}},
      {"bl1",
       {"train.mode=newton", "optimizer.lr=0.1", "objective.data=lr3", "newton.method=bl1",
        "newton.compressor=topk:3"}},
      {"bl3", {"train.mode=newton", "optimizer.lr=0.1", "newton.method=bl3", "newton.compressor=topk:6"}},
      {"newton_3pc_ls",
       {"train.mode=newton", "optimizer.lr=0.1", "newton.method=newton_3pc_ls", "newton.map=clag", "newton.init=zero",
        "newton.zeta=0.5", "newton.compressor=topk:6"}},
  };
}

/// Values to try in place of what a key has.
Words ValuesOf(const Key& key) {
  static const std::map<std::string_view, Words> words = {
      {"objective.data", {"lr2", "qk", "overpersonalised"}},
      {"objective.inner", {"exact", "cg:2"}},
      {"objective.inner_step", {"0.01"}},
      {"comm.method", {"dcgd", "ec", "none"}},
      {"comm.compressor", {"topk:3", "randk:3"}},
      {"comm.learner", {"randk:3"}},
      {"comm.down", {"raw"}},
      {"comm.down_compressor", {"topk:3"}},
      {"comm.participation", {"nice:40%"}},
      {"comm.aggregate", {"median"}},
      {"objective.attack", {"noise:1"}},
      {"objective.byzantine", {"2"}},
      {"comm.zeta", {"1000"}},
      {"gossip.graph", {"complete"}},
      {"comm.threads", {"3"}},
      {"async.down", {"randk:3"}},
      {"async.speeds", {"[2, 9]"}},
      {"comm.topology", {"sharded", "allreduce"}},
      {"lr_scheduler.warmup_epochs", {"3.3"}},
      {"lr_scheduler.milestones", {"[2]"}},
      {"checkpoint.resume", {"auto"}},
      {"checkpoint.every_epochs", {"3", "0"}},
      {"comm.p", {"0.6"}},
      {"local.sync_every", {"2"}},
      {"objective.coin", {"common"}},
      {"objective.probabilities", {"[0.5, 0.4]"}},
      {"objective.noise", {"absolute:0.1", "relative:0.1"}},
      {"run.output_dir", {"elsewhere"}},
      {"objective.star_shift", {"true", "false"}},
      {"run.nproc", {"4"}},
      {"run.threads", {"3"}},
      {"train.slow_rank", {"1"}},
      {"train.mode", {"sync", "local"}},
      {"newton.map", {"cbag", "marina"}},
      {"newton.compressor", {"topk:9", "randk:9"}},
      {"newton.learner", {"randk:3"}},
      {"newton.zeta", {"1000"}},
      {"newton.model", {"topk:3"}},
      {"newton.model_map", {"cbag", "lag"}},
      {"newton.model_learner", {"randk:3"}},
      {"newton.participation", {"nice:40%"}},
  };
  if (const auto found = words.find(key.name); found != words.end()) return found->second;
  if (key.type == "boolean") return {key.default_text == "true" ? "false" : "true"};
  if (key.range.starts_with("one of ")) {
    Words choices;
    std::istringstream list(key.range.substr(7));
    for (std::string word; list >> word;) choices.push_back(word.substr(0, word.find(',')));
    return choices;
  }
  return key.type == "integer" ? Words{"3"} : Words{"0.3", "1.3"};
}

/// What a run leaves, but for times: its records, and the names of its files.
std::string Traces(const Words& words) {
  const TempFolder folder("scope");
  Words all = words;
  all.push_back("run.output_dir=" + folder.path());
  const Config config = Load(kBase, all);
  testing::internal::CaptureStdout();
  try {
    RunConvexThreads(config);
  } catch (...) {
    testing::internal::GetCapturedStdout();
    throw;
  }
  testing::internal::GetCapturedStdout();
  std::string traces;
  for (nlohmann::json record : Records(folder.path())) {
    record.erase("wall_s");
    traces += record.dump() + "\n";
  }
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
    files.insert(entry.path().lexically_relative(folder.path()).string());
  for (const std::string& file : files) traces += file + "\n";
  return traces;
}

/// Of keys that are read, and that may change no number: where, how long and from which save a run runs, and how many
/// saves stay; a seed where nothing is random; what is dense where all is; shifts that add up to zero; line searches
/// that take whole steps; samples that come out even as they are; and those whose other value is what happens in any
/// case.
bool MayChangeNothing(std::string_view key) {
  static const std::set<std::string_view> keys = {
      "run.output_dir",     "run.launch",           "run.threads",
      "run.seed",           "comm.threads",         "comm.timeout_s",
      "checkpoint.resume",  "checkpoint.keep_last", "checkpoint.every_minutes",
      "optimizer.nesterov", "comm.compress_1d",     "comm.piece",
      "comm.start_iter",    "objective.star_shift", "comm.when",
      "newton.slope",       "newton.shrink",        "newton.basis",
      "newton.zeta",        "objective.even",       "gossip.weights"};
  return keys.contains(key);
}

Words Without(const Words& words, std::string_view key) {
  Words kept;
  for (const std::string& word : words)
    if (!word.starts_with(std::string(key) + "=")) kept.push_back(word);
  return kept;
}

/// Tries the key's other values over the words. "read", "refused", or what was taken and changed nothing.
std::string FateOf(const Key& key, const Words& words, const std::string& traces) {
  std::string fate = "refused";
  const Config base = Load(kBase, words);
  for (const std::string& value : ValuesOf(key)) {
    Words changed = Without(words, key.name);
    const std::string word = std::string(key.name) + "=" + value;
    changed.push_back(word);
    if (key.print(base) == value) continue;
    try {
      if (key.name == "run.output_dir") return "read";
      if (Traces(changed) != traces) return "read";
      fate = word + " changes nothing";
    } catch (const ConfigError& error) {
      const std::string_view why = error.what();
      if (std::ranges::none_of(Keys(), [&](const Key& any) { return why.find(any.name) != why.npos; }))
        return "no key in: " + std::string(why);
    }
  }
  return fate;
}

TEST(ConfigScope, EveryKeyOfAConvexRunIsReadOrRefused) {
  std::map<std::string_view, int> read;
  int runs = 0;
  for (const Case& part : Parts())
    for (const Case& mode : Modes()) {
      Words words = part.words;
      words.insert(words.end(), mode.words.begin(), mode.words.end());
      std::string traces;
      try {
        traces = Traces(words);
      } catch (const ConfigError&) {
        continue;  // a part that this mode has no place for
      }
      ++runs;
      for (const Key& key : Keys()) {
        const std::string fate = FateOf(key, words, traces);
        read[key.name] += fate == "read" ? 1 : 0;
        const bool is_right = fate == "read" || fate == "refused" || MayChangeNothing(key.name);
        EXPECT_TRUE(is_right) << part.name << ", " << mode.name << ": " << fate;
      }
    }
  EXPECT_GE(runs, 25);
  for (const std::string_view key : {"run.seed",
                                     "comm.ema",
                                     "objective.star_shift",
                                     "objective.coin",
                                     "objective.refresh_batch",
                                     "objective.probabilities",
                                     "objective.block",
                                     "objective.noise",
                                     "objective.anchor_period",
                                     "local.sync_every",
                                     "local.outer_nesterov",
                                     "async.speeds",
                                     "async.max_staleness",
                                     "lr_scheduler.gamma",
                                     "comm.topology",
                                     "comm.start_iter",
                                     "comm.alpha",
                                     "comm.p",
                                     "comm.aggregate",
                                     "objective.attack",
                                     "objective.byzantine",
                                     "newton.map",
                                     "newton.learner",
                                     "newton.alpha",
                                     "newton.p",
                                     "newton.zeta",
                                     "newton.init",
                                     "newton.option",
                                     "newton.mu",
                                     "newton.cubic",
                                     "newton.model",
                                     "newton.model_map",
                                     "newton.model_learner",
                                     "newton.model_alpha",
                                     "newton.gradient_p",
                                     "newton.participation",
                                     "checkpoint.keep_last",
                                     "checkpoint.every_minutes"})
    EXPECT_GT(read[key], 0) << key;
}

struct Ignored {
  Words words;
  std::string key;
  std::string why;
};

/// Of networks, which this test cannot run.
TEST(ConfigScope, WhatANetworkDoesNotReadIsRefusedWithTheReason) {
  for (const Ignored& c : std::vector<Ignored>{
           {{"objective.lambda=0.1"}, "objective.lambda", "objective.name is network (default value)"},
           {{"objective.estimator=lsvrg"}, "objective.estimator", "objective.name is network"},
           {{"objective.anchor_period=5"}, "objective.anchor_period", "comm.method is auto"},
           {{"objective.prox=l1"}, "objective.prox", "objective.name is network"},
           {{"data.dataset=synthetic", "data.root=/images"}, "data.root", "data.dataset is synthetic (command line"},
           {{"lr_scheduler.gamma=0.5"}, "lr_scheduler.gamma", "lr_scheduler.name is constant"},
           {{"train.slow_factor=4"}, "train.slow_factor", "train.slow_rank is -1"},
           {{"local.sync_every=4"}, "local.sync_every", "train.mode is sync (default value); set it to local"},
           {{"train.mode=local", "local.random=0.5", "local.sync_every=4"}, "local.sync_every", "local.random is 0.5"},
           {{"train.mode=local", "local.outer_nesterov=true"}, "local.outer_nesterov", "local.outer_momentum is 0"},
           {{"async.assign=pure"}, "async.assign", "train.mode is sync"},
           {{"gossip.graph=star"}, "gossip.graph", "train.mode is sync (default value); set it to gossip"},
           {{"train.mode=gossip"}, "gossip.gamma", "such as 0.2, because gossip.method is motef"},
           {{"train.mode=gossip", "gossip.gamma=0.2", "optimizer.momentum=0.5"},
            "optimizer.momentum",
            "train.mode is gossip"},
           {{"train.mode=gossip", "gossip.gamma=0.2", "comm.bucket_cap_mb=1"},
            "comm.bucket_cap_mb",
            "train.mode is gossip"},
           {{"train.mode=gossip", "gossip.gamma=0.2", "comm.when=pays"}, "comm.when", "train.mode is gossip"},
           {{"train.mode=async", "comm.bucket_cap_mb=1"}, "comm.bucket_cap_mb", "train.mode is async"},
           {{"train.mode=async", "comm.start_iter=5"}, "comm.start_iter", "train.mode is async"},
           {{"train.mode=async", "comm.topology=sharded"}, "comm.topology", "train.mode is async"},
           {{"train.mode=async", "async.delay=poisson"}, "async.delay", "train.slow_rank and train.slow_factor"},
           {{"train.mode=async", "train.slow_rank=0"}, "train.slow_rank", "async.server is dedicated"},
           {{"checkpoint.keep_last=5"}, "checkpoint.keep_last", "nothing is saved"}}) {
    try {
      Load("", c.words);
      ADD_FAILURE() << c.key << " is taken";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), testing::AllOf(HasSubstr(": " + c.key + ": found "), HasSubstr(c.why)));
    }
  }
}

TEST(ConfigScope, WhatNeighboursDoNotReadIsRefusedWithTheReason) {
  for (const Ignored& c : std::vector<Ignored>{
           {{}, "gossip.gamma", "such as 0.2, because gossip.method is motef"},
           {{"gossip.method=dgd", "gossip.gamma=0.5"}, "gossip.gamma", "gossip.method is dgd"},
           {{"gossip.method=dgd", "comm.compressor=topk:3"}, "comm.compressor", "gossip.method is dgd"},
           {{"gossip.method=push_sum", "comm.compressor=topk:3"}, "comm.compressor", "gossip.method is push_sum"},
           {{"gossip.method=push_sum", "async.speeds=[2]"}, "async.speeds", "train.mode is gossip"},
           {{"gossip.method=ad_psgd", "comm.compressor=topk:3"}, "comm.compressor", "gossip.method is ad_psgd"},
           {{"gossip.method=ad_psgd", "gossip.weights=metropolis"}, "gossip.weights", "gossip.method is ad_psgd"},
           {{"gossip.method=ad_psgd", "gossip.lambda=0.5"}, "gossip.lambda", "gossip.method is ad_psgd"},
           {{"gossip.method=ad_psgd", "async.assign=random"}, "async.assign", "train.mode is gossip"},
           {{"gossip.method=ad_psgd", "async.speeds=[]"}, "async.speeds", "gossip.method is ad_psgd"},
           {{"gossip.method=ad_psgd", "run.launch=processes"}, "run.launch", "gossip.method is ad_psgd"},
           {{"gossip.method=ad_psgd", "objective.estimator=lsvrg", "objective.coin=common"},
            "objective.coin",
            "gossip.method is ad_psgd"},
           {{"gossip.gamma=0.5", "comm.topology=allgather"}, "comm.topology", "train.mode is gossip"},
           {{"gossip.gamma=0.5", "comm.method=dore"}, "comm.method", "train.mode is gossip"},
           {{"gossip.gamma=0.5", "train.delay=2"}, "train.delay", "train.mode is gossip"}}) {
    Words words = {"train.mode=gossip"};
    words.insert(words.end(), c.words.begin(), c.words.end());
    try {
      Load(kBase, words);
      ADD_FAILURE() << c.key << " is taken";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), testing::AllOf(HasSubstr(": " + c.key + ": found "), HasSubstr(c.why)));
    }
  }
}

/// Its default is the method's own momentum; a 1 that is written is a 1.
TEST(ConfigScope, TheMomentumThatIsSaidIsTheMomentumThatRuns) {
  const auto with = [](const char* ema) { return Words{"comm.method=clip21_sgd2m", std::string("comm.ema=") + ema}; };
  EXPECT_EQ(Traces(with("auto")), Traces(with("0.1")));
  EXPECT_NE(Traces(with("auto")), Traces(with("1")));
  EXPECT_THAT(ToYaml(Load(kBase, {"comm.method=ec_star"})), HasSubstr("\n  star_shift: true\n"));
}

TEST(ConfigScope, ShippedConfigsAreAccepted) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(GRADWIRE_SOURCE_DIR "/configs"))
    if (entry.path().extension() == ".yaml") {
      EXPECT_NO_THROW(LoadConfig(entry.path().string(), {})) << entry.path();
      ++count;
    }
  EXPECT_GE(count, 13);
}

TEST(ConfigScope, CommandsOfPagesAreAccepted) {
  int count = 0;
  for (const Words& command : CommandsOfPages({"README.md", "train/README.md", "train/analyse/README.md",
                                               "configs/RESULTS.md", "configs/convex/RESULTS.md"})) {
    if (command.size() < 3 || !command[2].starts_with("configs/")) continue;
    Words settings;
    for (size_t i = 3; i < command.size(); ++i) {
      if (command[i].starts_with("--"))
        ++i;  // an option and its value
      else if (command[i] == "objective.data=DATA")
        settings.emplace_back("objective.data=lr");
      else if (command[i] != "[--nproc")
        settings.push_back(command[i]);
    }
    EXPECT_NO_THROW(PlanSweep(GRADWIRE_SOURCE_DIR "/" + command[2], settings)) << command[2];
    ++count;
  }
  EXPECT_GE(count, 4);
}

}  // namespace
}  // namespace gradwire::train
