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
      {"topk:005", "topk:5"}, {"topk:1.0%", "topk:1%"}, {"topk:0.10%", "topk:0.1%"}, {"topk:1e1%", "topk:10%"}};
  for (const auto& [written, printed] : specs) EXPECT_EQ(ParseCompressor(written)->spec(), printed);
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
const std::vector<std::string> kNames = {"unknown", "expected one of identity, fp16, bf16, sign, topk, randk"};

INSTANTIATE_TEST_SUITE_P(
    Specs, BadSpecs,
    ::testing::Values(BadSpec{"", kNames}, BadSpec{"Sign", kNames}, BadSpec{" sign", kNames}, BadSpec{"gzip", kNames},
                      BadSpec{"sgin", {"unknown", "did you mean 'sign'?"}},
                      BadSpec{"topK:1%", {"unknown", "did you mean 'topk'?"}},
                      BadSpec{"fp61", {"did you mean 'fp16'?"}}, BadSpec{"identitty", {"did you mean 'identity'?"}},
                      BadSpec{"sign:4", {"sign takes no argument; write 'sign'"}},
                      BadSpec{"identity:1%", {"identity takes no argument"}},
                      BadSpec{"fp16:x", {"fp16 takes no argument"}}, BadSpec{"topk", kAmount},
                      BadSpec{"topk:", kAmount}, BadSpec{"topk:0", kAmount}, BadSpec{"topk:-3", kAmount},
                      BadSpec{"topk:+3", kAmount}, BadSpec{"topk:1.5", kAmount}, BadSpec{"topk:5k", kAmount},
                      BadSpec{"topk:99999999999999999999", kAmount}, BadSpec{"topk:0%", kAmount},
                      BadSpec{"topk:-1%", kAmount}, BadSpec{"topk:100.1%", kAmount}, BadSpec{"topk:nan%", kAmount},
                      BadSpec{"topk:inf%", kAmount}, BadSpec{"topk:%", kAmount}, BadSpec{"topk:1%%", kAmount},
                      BadSpec{"topk:1 %", kAmount}, BadSpec{"topk:1%:common", kAmount}));

}  // namespace
}  // namespace gradwire
