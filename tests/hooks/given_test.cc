// SPDX-License-Identifier: Apache-2.0
// The C++ doors refuse methods that need more than gradients, before they join anybody.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/nn/modules/linear.h>

#include "gradwire/ddp.h"
#include "gradwire/ddp_hook.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using ::testing::HasSubstr;

template <typename Door>
std::string RefusalOf(Door door) {
  try {
    door();
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(DoorsOfCpp, RefuseMethodsThatNeedMoreThanGradients) {
  const auto module = std::make_shared<torch::nn::LinearImpl>(4, 4);
  for (const char* method : {"marina", "pp_marina", "vr_marina", "ec_star", "vr_diana"}) {
    const std::string expected = std::string("comm.method: ") + method + " needs";
    DdpOptions options;
    options.comm.method = method;
    EXPECT_THAT(RefusalOf([&] { DistributedDataParallel<torch::nn::LinearImpl>(module, nullptr, nullptr, options); }),
                HasSubstr(expected));
    EXPECT_THAT(RefusalOf([&] {
                  MakeDdpHook({{"w", module->weight}}, nullptr, {.comm = options.comm});
                }),
                HasSubstr(expected));
  }
}

}  // namespace
}  // namespace gradwire
