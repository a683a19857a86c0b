// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/compressor.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

TEST(Spec, PrintsInItsShortestForm) {
  const std::vector<std::pair<std::string, std::string>> specs = {
      {"topk:005", "topk:5"},
      {"topk:1.0%", "topk:1%"},
      {"topk:0.10%", "topk:0.1%"},
      {"topk:1e1%", "topk:10%"},
      {"randk:5:unscaled:common", "randk:5:common:unscaled"},
      {"topk:8.0d", "topk:8d"},
      {"qsgd:07", "qsgd:7"},
      {"induced( topk:010% , randk:10% )", "induced(topk:10%,randk:10%)"},
      {"scaled(induced(sign,compose(qsgd:7,randk:5)), 5e-1)", "scaled(induced(sign,compose(qsgd:7,randk:5)),0.5)"}};
  for (const auto& [written, printed] : specs) EXPECT_EQ(ParseCompressor(written)->spec(), printed);
}

/// Payloads of topk hold k: 8 d of a symmetric matrix's d (d + 1) / 2 elements, in which papers count them.
TEST(Spec, AnAmountMayCountInOrdersOfAMatrix) {
  Piece triangle = Piece::Whole(301 * 302 / 2);
  triangle.rows = triangle.cols = 301, triangle.symmetric = true;
  const auto bytes = [](const char* spec, const Piece& piece) {
    return ParseCompressor(spec)->Bytes(piece, Dtype::kF64);
  };
  EXPECT_EQ(bytes("topk:8d", triangle), bytes("topk:2408", triangle));
  EXPECT_EQ(bytes("randk:0.5d", triangle), bytes("randk:151", triangle));  // 150.5, rounded up
  EXPECT_EQ(bytes("topk:1000d", triangle), bytes("topk:100%", triangle));
  EXPECT_EQ(bytes("topk:0.1d", Piece::Whole(50)), bytes("topk:5", Piece::Whole(50)));
}

TEST(Spec, SizeAndDepthHaveALimit) {
  const auto nested = [](size_t depth) {
    std::string spec;
    for (size_t i = 0; i < depth; ++i) spec += "scaled(";
    spec += "sign";
    for (size_t i = 0; i < depth; ++i) spec += ",1)";
    return spec;
  };
  EXPECT_EQ(ParseCompressor(nested(16))->spec(), nested(16));
  EXPECT_THROW(ParseCompressor(nested(17)), ConfigError);
  for (const size_t size : {1'001, 1'000'000})
    for (const char* piece : {"unscale(", "(", "topk:", ",", ")", "x"}) {
      std::string spec;
      while (spec.size() < size) spec += piece;
      try {
        ParseCompressor(spec);
        FAIL() << piece;
      } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), HasSubstr("is longer than 1000 bytes"));
        EXPECT_LT(std::string(error.what()).size(), 200u);
      }
    }
}

struct BadSpec {
  const char* spec;
  std::vector<std::string> says;
};

class BadSpecs : public ::testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecs, AreRefusedWithWhatWasExpected) {
  try {
    ParseCompressor(GetParam().spec);
    FAIL() << "'" << GetParam().spec << "' was taken";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'" + std::string(GetParam().spec)));
    for (const std::string& words : GetParam().says) EXPECT_THAT(error.what(), HasSubstr(words));
  }
}

const std::vector<std::string> kAmount = {"topk:5000", "topk:1%", "above 0 and up to 100"};
const std::vector<std::string> kNames = {
    "unknown", "expected one of identity, fp16, bf16, sign, ssign, topk, randk, randseqk, rank, qsgd, dithering"};

INSTANTIATE_TEST_SUITE_P(
    Specs, BadSpecs,
    ::testing::Values(
        BadSpec{"", kNames}, BadSpec{"Sign", kNames}, BadSpec{" sign", kNames}, BadSpec{"gzip", kNames},
        BadSpec{"sgin", {"unknown", "did you mean 'sign'?"}}, BadSpec{"topK:1%", {"unknown", "did you mean 'topk'?"}},
        BadSpec{"fp61", {"did you mean 'fp16'?"}}, BadSpec{"identitty", {"did you mean 'identity'?"}},
        BadSpec{"sign:4", {"sign:exact", "sign:plain"}}, BadSpec{"identity:1%", {"identity takes no argument"}},
        BadSpec{"fp16:x", {"fp16 takes no argument"}}, BadSpec{"topk", kAmount}, BadSpec{"topk:", kAmount},
        BadSpec{"topk:0", kAmount}, BadSpec{"topk:-3", kAmount}, BadSpec{"topk:+3", kAmount},
        BadSpec{"topk:1.5", kAmount}, BadSpec{"topk:5k", kAmount}, BadSpec{"topk:99999999999999999999", kAmount},
        BadSpec{"topk:0%", kAmount}, BadSpec{"topk:-1%", kAmount}, BadSpec{"topk:100.1%", kAmount},
        BadSpec{"topk:nan%", kAmount}, BadSpec{"topk:inf%", kAmount}, BadSpec{"topk:%", kAmount},
        BadSpec{"topk:1%%", kAmount}, BadSpec{"topk:1 %", kAmount}, BadSpec{"topk:0d", kAmount},
        BadSpec{"topk:d", kAmount}, BadSpec{"topk:-1d", kAmount}, BadSpec{"topk:8dd", kAmount},
        BadSpec{"topk:1%:common", {"topk:1%:counted"}}, BadSpec{"topk:1%:counted:counted", {"topk:1%:counted"}},
        BadSpec{"topk:0:counted", kAmount}, BadSpec{"randseqk:0", {"randseqk:5000", "randseqk:1%"}},
        BadSpec{"randseqk:1%:common", {"randseqk:1%"}}, BadSpec{"rank", {"rank:2"}}, BadSpec{"rank:0", {"1 or more"}},
        BadSpec{"rank:1%", {"rank:2"}}, BadSpec{"rotate:sign", {"expected rotate(A)"}},
        BadSpec{"rotate(sign,sign)", {"rotate(A)"}}, BadSpec{"randk:0", {"randk:5000", "randk:1%"}},
        BadSpec{"randk:x:common", {"randk:5000"}}, BadSpec{"randk:1%:", {"common or sent, unscaled"}},
        BadSpec{"randk:1%:sent:sent", {"common or sent, unscaled"}},
        BadSpec{"qsgd", {"levels from 1 to 32767", "qsgd:127"}}, BadSpec{"qsgd:0", {"from 1 to 32767"}},
        BadSpec{"qsgd:32768", {"from 1 to 32767"}}, BadSpec{"dithering:3:1", {"1, 2 or inf"}},
        BadSpec{"dithering:2", {"dithering:inf:7"}}, BadSpec{"dithering:2:1:1", {"dithering:inf:7"}},
        BadSpec{"terngrad:2", {"no argument, or clip"}}, BadSpec{"natural:2", {"takes no argument"}},
        BadSpec{"natural_dithering:2:65", {"levels from 1 to 64"}}, BadSpec{"nu_rand1:2", {"takes no argument"}},
        BadSpec{"nu_randk:0", {"nu_randk:1%"}}, BadSpec{"bernoulli:0", {"a probability above 0"}},
        BadSpec{"bernoulli:1.1", {"up to 1"}}, BadSpec{"bernoulli", {"bernoulli:0.1"}},
        BadSpec{"threshold:0", {"above 0"}}, BadSpec{"threshold:inf", {"a magnitude above 0"}},
        BadSpec{"adaptive:2", {"up to 1"}}, BadSpec{"clip:-1", {"a norm above 0"}},
        BadSpec{"sign:plain:x", {"sign:exact", "sign:plain"}}, BadSpec{"ssign:2", {"ssign:norm"}},
        BadSpec{"induced", {"expected induced(A,B)"}}, BadSpec{"induced:topk:1%", {"induced(A,B)"}},
        BadSpec{"topk(1%)", {"expected topk:K"}}, BadSpec{"induced(topk:1%,randk:1%", {"induced(A,B)"}},
        BadSpec{"induced(topk:1%)", {"two operators"}}, BadSpec{"induced(a,b,c)", {"two operators"}},
        BadSpec{"induced(topk:1%),randk:1%)", {"two operators"}},
        BadSpec{"induced(topk:1%,sgn)", {"'sgn'", "did you mean 'sign'?"}},
        BadSpec{"induced(topk:1%,topk:1%)", {"unbiased, which topk:1% is not"}},
        BadSpec{"induced(sign:plain,randk:1%)", {"bounded, which that of sign:plain is not"}},
        BadSpec{"then(topk:1%,randk:1%)", {"contractive, which randk:1% is not", "induced(A,B)"}},
        BadSpec{"then(threshold:1,sign)", {"fixed size"}}, BadSpec{"then(sign:plain,sign)", {"contractive"}},
        BadSpec{"randk:1%:common:sent", {"not both"}}, BadSpec{"scaled(sign,0)", {"a factor other than 0"}},
        BadSpec{"scaled(sign,x)", {"a factor"}}, BadSpec{"unscale(sign)", {"sign is not unbiased"}},
        BadSpec{"compose(sign)", {"two operators"}}));

}  // namespace
}  // namespace gradwire
