// SPDX-License-Identifier: Apache-2.0
// Every row of the methods' table works, and a configuration that cannot work is refused by the name of its key.
#include "gradwire/method.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

CommConfig Config(const std::string& method, const std::string& compressor, const std::string& topology = "auto") {
  CommConfig config;
  config.method = method, config.compressor = compressor, config.topology = topology;
  return config;
}

/// The message of the ConfigError that Check throws.
std::string Refusal(const CommConfig& config) {
  try {
    Check(config);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

std::string RefusalOf(const std::function<void(CommConfig&)>& change) {
  CommConfig config;
  change(config);
  return Refusal(config);
}

TEST(Methods, AreCompleteRows) {
  std::set<std::string_view> names;
  for (const Method& method : Methods()) {
    SCOPED_TRACE(method.name);
    EXPECT_TRUE(names.insert(method.name).second) << "twice";
    EXPECT_EQ(FindLink(method.link).name, method.link);
    if (!method.compressor.empty()) {
      EXPECT_EQ(ParseCompressor(method.compressor)->spec(), method.compressor);
    }
    EXPECT_FALSE(method.summary.empty());
    EXPECT_FALSE(method.source.empty());
    const auto parts = MakeParts(Config(std::string(method.name), "auto"), 0);
    EXPECT_EQ(parts.link.name, method.link);
  }
}

TEST(Methods, ThatAreUnknownAreNamedWithTheNearest) {
  EXPECT_THAT(Refusal(Config("dcgdd", "sign")), AllOf(StartsWith("comm.method: 'dcgdd' is unknown"),
                                                      HasSubstr("did you mean 'dcgd'?"), HasSubstr("none, dcgd, ef")));
  EXPECT_THROW(MakeParts(Config("dcgdd", "sign"), 0), ConfigError);
}

TEST(Methods, CompressorsThatAreUnknownAreNamedWithTheNearest) {
  EXPECT_THAT(Refusal(Config("ef", "tokp:1%")),
              AllOf(StartsWith("comm.compressor: "), HasSubstr("did you mean 'topk'?")));
  EXPECT_THAT(Refusal(Config("ef", "topk:0")), AllOf(StartsWith("comm.compressor: "), HasSubstr("topk:1%")));
}

TEST(Methods, NoneTakesIdentityOnly) {
  EXPECT_THAT(Refusal(Config("none", "sign")),
              AllOf(StartsWith("comm.compressor: "), HasSubstr("expected auto or identity")));
  EXPECT_EQ(Refusal(Config("none", "identity")), "accepted");
}

TEST(Methods, AllReduceIsForLinearOperatorsWithoutMemory) {
  const auto topology = [](const CommConfig& config) { return MakeParts(config, 0).topology; };
  EXPECT_EQ(topology(Config("none", "identity")), "allreduce");
  EXPECT_EQ(topology(Config("dcgd", "identity")), "allreduce");
  EXPECT_EQ(topology(Config("dcgd", "identity", "allgather")), "allgather");
  EXPECT_EQ(topology(Config("dcgd", "sign")), "allgather");
  EXPECT_EQ(topology(Config("ef", "identity")), "allgather");
  for (const auto& config : {Config("dcgd", "topk:1%", "allreduce"), Config("ef", "identity", "allreduce")})
    EXPECT_THAT(Refusal(config),
                AllOf(StartsWith("comm.topology: allreduce sums"), HasSubstr("expected allgather or auto")));
  EXPECT_THAT(Refusal(Config("ef", "sign", "ring")),
              AllOf(StartsWith("comm.topology: 'ring'"), HasSubstr("auto, allgather, sharded, allreduce or factors")));
}

TEST(Methods, FactorsAreSummedForPowerSgdAndNoOther) {
  const ExchangeParts parts = MakeParts(Config("powersgd", "rank:2"), 0);
  EXPECT_EQ(parts.topology, "factors");
  EXPECT_EQ(parts.piece, PieceRule::kMatrix);
  EXPECT_EQ(Refusal(Config("powersgd", "auto", "factors")), "accepted");
  for (const char* other : {"allgather", "sharded", "allreduce"})
    EXPECT_THAT(Refusal(Config("powersgd", "auto", other)), HasSubstr("expected factors or auto")) << other;
  EXPECT_THAT(Refusal(Config("ef", "rank:2", "factors")), HasSubstr("comm.method is ef; expected auto"));
  EXPECT_THAT(Refusal(Config("powersgd", "topk:1%")), AllOf(StartsWith("comm.compressor: "), HasSubstr("take rank:4")));
  const auto refusal = [](auto change) {
    return RefusalOf([&](CommConfig& config) { config.method = "powersgd", change(config); });
  };
  EXPECT_THAT(refusal([](CommConfig& c) { c.down = "ef"; }), StartsWith("comm.down: ef: method powersgd"));
  EXPECT_THAT(refusal([](CommConfig& c) { c.piece = "tensor"; }), StartsWith("comm.piece: tensor"));
  EXPECT_THAT(refusal([](CommConfig& c) { c.ema = "0.5"; }), StartsWith("comm.ema: method powersgd"));
  EXPECT_THAT(refusal([](CommConfig& c) { c.noise = 1; }), StartsWith("comm.noise: 1"));
  EXPECT_THAT(refusal([](CommConfig& c) { c.participation = "iid:50%"; }), StartsWith("comm.participation: iid"));
}

TEST(Methods, OtherKeysAreCheckedByName) {
  EXPECT_EQ(RefusalOf([](CommConfig&) {}), "accepted");
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.down = "diana"; }),
              AllOf(StartsWith("comm.down: 'diana'"), HasSubstr("none, raw, ef, dore")));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.topology = "sharded", c.down = "none"; }), StartsWith("comm.down: none"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.topology = "allgather", c.down = "ef"; }),
              AllOf(StartsWith("comm.topology: allgather"), HasSubstr("expected sharded")));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.down_compressor = "sign"; }), StartsWith("comm.down_compressor: sign"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.learner = "sign"; }), StartsWith("comm.learner: method ef"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.alpha = "0.5"; }),
              AllOf(StartsWith("comm.alpha: method ef"), HasSubstr("expected auto")));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.method = "ef21", c.alpha = "2"; }), StartsWith("comm.alpha: '2'"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.eta = "0.5"; }), StartsWith("comm.eta: method ef"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.beta = "0.5"; }), StartsWith("comm.beta: method ef"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.p = "0.5"; }), StartsWith("comm.p: method ef"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.opening = "dense"; }), StartsWith("comm.opening: method ef"));
  EXPECT_THAT(
      RefusalOf([](CommConfig& c) { c.piece = "layer"; }),
      AllOf(StartsWith("comm.piece: 'layer'"), HasSubstr("expected fixed (65,536 elements), tensor or matrix")));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.min_compress_numel = -1; }), StartsWith("comm.min_compress_numel: -1"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.start_iter = -5; }), StartsWith("comm.start_iter: -5"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.bucket_cap_mb = 0; }), StartsWith("comm.bucket_cap_mb: 0"));
  for (const char* threads : {"0", "-1", "257", "two", "1.5", "99999999999"})
    EXPECT_THAT(RefusalOf([&](CommConfig& c) { c.threads = threads; }),
                AllOf(StartsWith("comm.threads: '"), HasSubstr("expected auto or a whole number from 1 to 256")));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.timeout_s = -1; }), StartsWith("comm.timeout_s: -1"));
  EXPECT_THAT(RefusalOf([](CommConfig& c) { c.timeout_s = std::numeric_limits<double>::quiet_NaN(); }),
              StartsWith("comm.timeout_s: nan"));
}

/// As many as leave each rank of this host a core for its gradients, but no more than four.
TEST(Methods, ThreadsAreWhatIsLeftOfTheCores) {
  cpu_set_t cores;
  ASSERT_EQ(sched_getaffinity(0, sizeof(cores), &cores), 0);
  const auto usual = [] { return MakeParts(CommConfig{}, 0).threads; };
  unsetenv("LOCAL_WORLD_SIZE");  // threads as ranks, or processes that somebody else started
  EXPECT_EQ(usual(), 1u);
  for (int ranks = 1; ranks < 20; ++ranks) {
    setenv("LOCAL_WORLD_SIZE", std::to_string(ranks).c_str(), 1);
    EXPECT_EQ(usual(), static_cast<size_t>(std::min(4, std::max(1, CPU_COUNT(&cores) / ranks - 1))));
  }
  unsetenv("LOCAL_WORLD_SIZE");
  EXPECT_EQ(MakeParts({.threads = "7"}, 0).threads, 7u);
}

TEST(Methods, PartsCarryTheSettings) {
  CommConfig config = Config("ef", "topk:5");
  config.piece = "tensor", config.min_compress_numel = 7, config.compress_1d = true, config.start_iter = 3;
  const ExchangeParts parts = MakeParts(config, 11);
  EXPECT_EQ(parts.compressor->spec(), "topk:5");
  EXPECT_EQ(parts.piece, PieceRule::kTensor);
  EXPECT_EQ(parts.min_compress_numel, 7u);
  EXPECT_TRUE(parts.compress_1d);
  EXPECT_EQ(parts.start_iter, 3u);
  EXPECT_EQ(parts.seed, 11u);
}

}  // namespace
}  // namespace gradwire
