// SPDX-License-Identifier: Apache-2.0
// `gradwire bench exchange` up to where torch begins: words, shapes, rates, rounds over ranks that are threads, what is
// said of them, and hosts. The program as processes is tests/python/test_bench.py's.
#include "train/bench/exchange.h"

#include <unistd.h>

#include <numeric>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "gradwire/error.h"
#include "support/ranks.h"
#include "train/bench/exchange_report.h"
#include "train/bench/hosts.h"

namespace gradwire::train {
namespace {

using ::testing::HasSubstr;

template <typename Call>
std::string ErrorOf(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(ParseVariant, TakesMethodsOperatorsAndKeysOfComm) {
  const CommConfig both = ParseVariant("doublesqueeze+topk:1% topology=sharded min_compress_numel=0").comm;
  EXPECT_EQ(both.method, "doublesqueeze");
  EXPECT_EQ(both.compressor, "topk:1%");
  EXPECT_EQ(both.topology, "sharded");
  EXPECT_EQ(both.min_compress_numel, 0);
  EXPECT_EQ(ParseVariant("sign").comm.method, "ef");
  EXPECT_EQ(ParseVariant("sign").comm.compressor, "sign");
  EXPECT_EQ(ParseVariant("none").comm.method, "none");
  EXPECT_EQ(ParseVariant("ef+then(topk:1%,sign)").comm.compressor, "then(topk:1%,sign)");
}

TEST(ParseVariant, RefusesWhatCannotWorkByTheWordThatSaysIt) {
  EXPECT_THAT(ErrorOf([] { ParseVariant("ef+sgin"); }), AllOf(HasSubstr("--compressor ef+sgin: "), HasSubstr("sign")));
  EXPECT_THAT(ErrorOf([] { ParseVariant("fe+sign"); }), AllOf(HasSubstr("--compressor fe+sign: "), HasSubstr("'ef'")));
  EXPECT_THAT(ErrorOf([] { ParseVariant("ef+sign sharded"); }), HasSubstr("found 'sharded', expected a key of comm"));
  EXPECT_THAT(ErrorOf([] { ParseVariant("ef+sign topolgy=sharded"); }), HasSubstr("topology"));
  EXPECT_THAT(ErrorOf([] { ParseVariant("ec+topk:1%"); }), HasSubstr("needs the step size"));
}

size_t NumelOf(const std::string& model) {
  size_t numel = 0;
  for (const auto& shape : ShapesOf(model))
    numel += static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  return numel;
}

TEST(Shapes, AreThoseOfTheModelOrOfSoManyNumbers) {
  EXPECT_EQ(NumelOf("resnet18"), 11'173'962u);
  EXPECT_EQ(ShapesOf("resnet18").size(), 62u);
  EXPECT_EQ(NumelOf("2500001"), 2'500'001u);
  EXPECT_EQ(ShapesOf("2500001").size(), 3u);
  EXPECT_THAT(ErrorOf([] { ShapesOf("resnet19"); }), HasSubstr("--model resnet19: expected resnet18, or a number"));
  EXPECT_THAT(ErrorOf([] { ShapesOf("0"); }), HasSubstr("--model 0"));
}

TEST(Rates, AreInTheUnitsOfTc) {
  EXPECT_EQ(BitsPerSecond("1gbit"), 1e9);
  EXPECT_EQ(BitsPerSecond("2.5gbit"), 2.5e9);
  EXPECT_EQ(BitsPerSecond("100mbit"), 1e8);
  for (const char* rate : {"1g", "fast", "-1gbit", "0mbit", ""})
    EXPECT_THAT(ErrorOf([&] { BitsPerSecond(rate); }), HasSubstr("as in 100mbit or 1gbit")) << rate;
}

TEST(BenchExchange, SaysBeforehandWhatCannotWork) {
  EXPECT_THAT(ErrorOf([] { BenchExchange({.ranks = 1}, {}); }), HasSubstr("--ranks 1: expected 2 to 64"));
  EXPECT_THAT(ErrorOf([] { BenchExchange({.json = "/no/such/x.json"}, {}); }), HasSubstr("--json /no/such/x.json"));
  EXPECT_THAT(ErrorOf([] { BenchExchange({}, {}); }), HasSubstr("this build is without torch"));
}

/// Sleeps, and hands out numbers.
class Sleeper final : public Variant {
 public:
  Sleeper(int milliseconds, uint64_t fingerprint) : milliseconds_(milliseconds), fingerprint_(fingerprint) {}
  void Step() override {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds_));
    cost_.encode_s += 0.25, cost_.bytes += 1000;
  }
  ExchangeCost Cost() override { return cost_; }
  uint64_t Fingerprint() override { return fingerprint_; }

 private:
  int milliseconds_;
  uint64_t fingerprint_;
  ExchangeCost cost_;
};

const ExchangeOptions kSmall = {.model = "1000", .compressors = {"ef+sign"}, .rounds = 3, .steps = 2};

ExchangeTimes TimeSleepers(uint64_t fingerprint_of_rank_1) {
  ExchangeTimes of_rank_0;
  testing::RunRanks(2, [&](Collective& collective) {
    const std::vector<VariantSpec> specs = VariantsOf(kSmall);
    std::vector<std::unique_ptr<Variant>> variants;
    const uint64_t print = collective.rank() == 0 ? 7 : fingerprint_of_rank_1;
    for (const int milliseconds : {9, 1, 3}) variants.push_back(std::make_unique<Sleeper>(milliseconds, print));
    const ExchangeTimes times = TimeExchanges(collective, specs, variants, kSmall, "lo");
    if (collective.rank() == 0) of_rank_0 = times;
  });
  return of_rank_0;
}

TEST(TimeExchanges, GivesEachVariantItsTurnsAndTheCostOfAStep) {
  const ExchangeTimes times = TimeSleepers(7);
  ASSERT_EQ(times.variants.size(), 3u);
  EXPECT_EQ(times.variants[2].name, "ef+sign");
  for (const VariantTimes& variant : times.variants) {
    EXPECT_EQ(variant.seconds.size(), 3u);
    EXPECT_EQ(variant.steps, 2u);
    EXPECT_DOUBLE_EQ(variant.cost.encode_s, 0.25);
    EXPECT_EQ(variant.cost.bytes, 1000u);
  }
  EXPECT_GT(times.link.bytes_per_s, 0);
}

TEST(TimeExchanges, FindsReplicasThatDiffer) {
  EXPECT_THAT(ErrorOf([] { TimeSleepers(8); }), HasSubstr("WRONG: dense DDP: rank 1 has other bits than rank 0"));
}

/// Dense 10 ms, floor 1 ms, ef+sign 4 ms in every round, 1 MB a step at 1 GB/s, passes of 1 ms.
ExchangeTimes MadeUp() {
  ExchangeTimes times{.interface = "lo", .link = {0, 1e9}, .passes = {0.001, 0.001, 0.001}, .variants = {}};
  for (const auto& [name, seconds] : {std::pair{"dense DDP", 0.010}, {"floor", 0.001}, {"ef+sign", 0.004}})
    times.variants.push_back(
        {.name = name, .steps = 2, .seconds = std::vector<double>(7, seconds), .cost = {.bytes = 1'000'000}});
  return times;
}

TEST(ExchangeReport, ExchangeIsStepLessFloorAndTheLimitIsBytesByRateAndPasses) {
  const auto json = nlohmann::json::parse(ExchangeJson(MadeUp(), VariantsOf(kSmall), kSmall));
  const auto& sign = json["variants"][2];
  EXPECT_EQ(sign["name"], "ef+sign");
  EXPECT_NEAR(sign["exchange_s"]["median"], 0.003, 1e-12);
  EXPECT_NEAR(sign["speed_up"]["low"], 3.0, 1e-9);
  EXPECT_NEAR(sign["limit_s"], 0.001 + 0.002, 1e-12);  // 1 MB at 1 GB/s, an update and a write
  EXPECT_NEAR(sign["of_limit"]["high"], 1.0, 1e-9);
  EXPECT_FALSE(json["variants"][1].contains("exchange_s")) << "the floor has none";
  EXPECT_EQ(json["interface"], "lo");
  const std::string table = ExchangeTable(MadeUp(), VariantsOf(kSmall), kSmall);
  EXPECT_THAT(table, AllOf(HasSubstr("2 ranks over loopback"), HasSubstr("3.0 (3.0-3.0)")));
}

TEST(SentBy, CountsWhatLeavesByAnInterface) {
  EXPECT_EQ(SentBy("no-such-interface"), 0u);
  EXPECT_GE(SentBy("lo"), 0u);
}

std::string Namespaces() {
  std::string text;
  if (FILE* pipe = popen("ip netns list 2>/dev/null", "r")) {
    char buffer[256];
    while (fgets(buffer, sizeof(buffer), pipe) != nullptr) text += buffer;
    pclose(pipe);
  }
  return text;
}

/// Empty where this machine can make hosts.
std::string WhyNoHosts() {
  return geteuid() != 0                                   ? "not root"
         : ErrorOf([] { Hosts hosts(2, 1e9); }) == "none" ? ""
                                                          : "no namespaces or no tbf here";
}

TEST(Hosts, AreThereWhileTheyLiveAndGoneThen) {
  if (const std::string why = WhyNoHosts(); !why.empty()) GTEST_SKIP() << why;
  const std::string ours = "gradwire-bench-" + std::to_string(getpid()) + "-";
  for (const int count : {2, 3}) {
    {
      const Hosts hosts(count, 1e9);
      EXPECT_THAT(Namespaces(), HasSubstr(ours + std::to_string(count - 1)));
      EXPECT_EQ(hosts.address(1), "10.79.0.2");
      const std::string command = hosts.prefix(0)[0] + " netns exec " + hosts.prefix(0)[3] + " true";
      EXPECT_EQ(std::system(command.c_str()), 0) << command;
    }
    EXPECT_THAT(Namespaces(), ::testing::Not(HasSubstr(ours))) << count << " hosts";
  }
}

TEST(Hosts, TakeAwayWhatADeadProcessLeft) {
  if (const std::string why = WhyNoHosts(); !why.empty()) GTEST_SKIP() << why;
  ASSERT_EQ(std::system("ip netns add gradwire-bench-4194305-0"), 0);  // above the highest process number there can be
  { const Hosts hosts(2, 1e9); }
  EXPECT_THAT(Namespaces(), ::testing::Not(HasSubstr("gradwire-bench-4194305-0")));
}

TEST(Hosts, SayWhatIsNeededWhereThereIsNoRoot) {
  if (geteuid() == 0) GTEST_SKIP() << "this process is root";
  EXPECT_THAT(ErrorOf([] { Hosts hosts(2, 1e9); }),
              AllOf(HasSubstr("--rate"), HasSubstr("root"), HasSubstr("loopback")));
}

TEST(Hosts, LetNoMorePassUnshapedThanTheRateNeeds) {
  EXPECT_EQ(Hosts::BurstBytes(1e8), 128u * 1024);
  EXPECT_EQ(Hosts::BurstBytes(1e9), 128u * 1024);
  EXPECT_EQ(Hosts::BurstBytes(1e10), 625'000u);
}

}  // namespace
}  // namespace gradwire::train
