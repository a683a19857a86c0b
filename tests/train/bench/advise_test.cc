// SPDX-License-Identifier: Apache-2.0
// `gradwire bench advise` up to where torch begins: models, what is refused, what it says, and a link taken at its
// word.
#include "train/bench/advise.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "gradwire/cost.h"
#include "gradwire/error.h"
#include "tests/train/run_folder.h"
#include "train/bench/advise_report.h"
#include "train/bench/model_shapes.h"

namespace gradwire::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// As the format's description has it: 8 bytes of length, the header, the data.
std::string WriteSafetensors(const TempFolder& folder, const std::string& header, uint64_t length) {
  const std::string path = folder.path() + "/model.safetensors";
  std::ofstream out(path, std::ios::binary);
  for (int i = 0; i < 8; ++i) out.put(static_cast<char>(length >> 8 * i));
  out << header << "data";
  return path;
}

std::string RefusedModel(const std::string& model) {
  try {
    ModelShapesOf(model, nullptr);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "nothing was refused";
}

std::string Refused(const AdviseOptions& options) {
  try {
    BenchAdvise(options, {});
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(ModelShapes, AreAModelsANumbersOrAFiles) {
  EXPECT_EQ(Numel(ModelShapesOf("resnet18", nullptr).parameters), 11'173'962u);
  EXPECT_EQ(Numel(ModelShapesOf("3500000", nullptr).parameters), 3'500'000u);
  const TempFolder folder("advise");
  const std::string header =
      R"({"__metadata__": {"format": "pt"}, "w": {"dtype": "F16", "shape": [30, 7], "data_offsets": [0, 420]},
          "b": {"dtype": "BF16", "shape": [7], "data_offsets": [0, 14]},
          "steps": {"dtype": "I64", "shape": [5], "data_offsets": [0, 40]}})";
  const ModelShapes model = ModelShapesOf(WriteSafetensors(folder, header, header.size()), nullptr);
  ASSERT_EQ(model.parameters.size(), 2u) << "a counter has no gradient";
  EXPECT_EQ(model.parameters[0].name, "w");
  EXPECT_EQ(model.parameters[0].shape, (std::vector<int64_t>{30, 7}));
  EXPECT_EQ(model.bytes_an_element, 2u);
}

TEST(ModelShapes, WhatIsNoModelIsRefusedWithWhatIs) {
  const TempFolder folder("advise");
  EXPECT_THAT(RefusedModel("resnet19"), HasSubstr("--model resnet19: is no model known here; expected resnet18, a"));
  EXPECT_THAT(RefusedModel("no/such.safetensors"), HasSubstr("there is no such file"));
  EXPECT_THAT(RefusedModel(WriteSafetensors(folder, "{}", 2)), HasSubstr("has no floating tensor"));
  EXPECT_THAT(RefusedModel(WriteSafetensors(folder, "{}", 1000)), HasSubstr("ends within its header"));
  EXPECT_THAT(RefusedModel(WriteSafetensors(folder, "{}", uint64_t{1} << 60)), HasSubstr("which no .safetensors has"));
  EXPECT_THAT(RefusedModel(WriteSafetensors(folder, R"({"w": 5})", 8)), HasSubstr("not that of a .safetensors"));
  std::ofstream(folder.path() + "/model.pt") << "x";
  EXPECT_THAT(RefusedModel(folder.path() + "/model.pt"),
              HasSubstr("without torch, which reads it; expected its number"));
}

TEST(BenchAdvise, WhatCannotBeAskedSaysWhatCan) {
  EXPECT_THAT(Refused({.ranks = 1}), HasSubstr("--ranks 1: one rank exchanges nothing; expected 2 or more"));
  EXPECT_THAT(Refused({.ranks = 4, .ranks_per_host = 5}), HasSubstr("--ranks-per-host 5: expected 1 to --ranks, 4"));
  EXPECT_THAT(Refused({.rate = "fast"}), HasSubstr("--rate fast"));
  EXPECT_THAT(Refused({.ranks = 4, .ranks_per_host = 4, .rate = "1gbit"}), HasSubstr("all ranks are on one host"));
  EXPECT_THAT(Refused({.compressors = {"none"}}), HasSubstr("--compressor none: compresses nothing"));
  EXPECT_THAT(Refused({.compressors = {"ef+qsgd:7"}}), HasSubstr("does not contract"));
  EXPECT_THAT(Refused({.backward_ms = -1}), HasSubstr("--backward-ms -1: expected 0 or more"));
  EXPECT_THAT(Refused({}), HasSubstr("without torch, over whose Gloo links are measured; expected --rate"));
}

/// Dense 447 ms at 100 MB/s, and signs.
AdvisedRow Row(const std::string& name, double encode_s) {
  AdvisedRow row{name,
                 {.link = {1e-4, 1e8, 1e-4, 1e8},
                  .dense_bytes = 44'695'848,
                  .compressed_bytes = 1'396'745,
                  .encode_s = encode_s,
                  .decode_s = 3e-3},
                 {}};
  row.answer = Judge(row.question);
  return row;
}

TEST(AdviceText, NamesTheFastestThatPaysOrThatNoneDoes) {
  const std::string pays = AdviceText({Row("ef+slow", 0.1), Row("ef+sign", 8e-3), Row("ef+never", 2)}, {}, "a link");
  EXPECT_THAT(pays, HasSubstr("ef+sign pays: an exchange costs 31.7 ms where dense gradients cost 447 ms, 14.1 times"));
  EXPECT_THAT(pays, HasSubstr("a link"));
  EXPECT_THAT(pays, HasSubstr("dense          44.696"));
  const std::string none = AdviceText({Row("ef+never", 2)}, {}, "a link");
  EXPECT_THAT(none,
              HasSubstr("None of them pays: dense gradients cost 447 ms, and the fastest, ef+never, 3.22 s, which"));
  EXPECT_THAT(none, Not(HasSubstr(" pays\n")));
  EXPECT_THROW(AdviceText({}, {}, ""), Error);
}

TEST(AdviceJson, HasTheSameNumbers) {
  const auto json = nlohmann::json::parse(AdviceJson({Row("ef+sign", 8e-3), Row("ef+never", 2)}, {}, "a link"));
  EXPECT_EQ(json["advice"], "ef+sign");
  EXPECT_EQ(json["dense_bytes"], 44'695'848);
  EXPECT_EQ(json["operators"].size(), 2u);
  EXPECT_NEAR(json["operators"][0]["exchange_s"], 0.0316675, 1e-6);
  EXPECT_FALSE(json["operators"][1]["pays"]);
  EXPECT_EQ(nlohmann::json::parse(AdviceJson({Row("ef+never", 2)}, {}, ""))["advice"], "dense");
}

TEST(BenchAdvise, WithoutTorchALinkIsTakenAtItsWord) {
  const TempFolder folder("advise");
  const AdviseOptions options{
      .model = "300000", .compressors = {"ef+sign"}, .rate = "1mbit", .json = folder.path() + "/advice.json"};
  testing::internal::CaptureStdout();
  EXPECT_EQ(BenchAdvise(options, {}), 0);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_THAT(said, HasSubstr("no link was measured (this build is without torch): 1mbit is taken at its word"));
  EXPECT_THAT(said, HasSubstr("ef+sign pays")) << "at 125 kB/s nothing is as slow as 1.2 MB";
  std::ifstream in(options.json);
  EXPECT_EQ(nlohmann::json::parse(in)["bytes_per_s"], 125'000);
}

}  // namespace
}  // namespace gradwire::train
