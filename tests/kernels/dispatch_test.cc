// SPDX-License-Identifier: Apache-2.0
// Every kernel in the list is one that the product runs: a kernel that nobody calls, or a loop that goes around the
// list, is found here.
#include <atomic>
#include <map>

#include <gtest/gtest.h>

#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "kernels/kernels.h"
#include "support/buckets.h"
#include "support/operators.h"
#include "support/ranks.h"

namespace gradwire {
namespace {

using namespace testing;

/// Of each kernel, by type.
template <typename T>
std::map<std::string_view, std::atomic<int>>& Calls() {
  static std::map<std::string_view, std::atomic<int>> calls;
  return calls;
}

const kernels::Isa& Scalar() { return *kernels::Isas().back(); }

/// The scalar kernels, and who was called.
namespace counting {
#define GRADWIRE_KERNEL(name, result, parameters, arguments) \
  template <typename T>                                      \
  result name parameters {                                   \
    ++Calls<T>().at(#name);                                  \
    return Scalar().template table<T>().name arguments;      \
  }
using kernels::Bits;
using kernels::Candidates;
using kernels::Coded;
using kernels::Dithering;
using kernels::Factors;
using kernels::Kept;
using kernels::Norm;
using kernels::Signs;
using kernels::Source;
using kernels::Threshold;
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL
}  // namespace counting

template <typename T>
kernels::Table<T> CountingTable() {
  return {
#define GRADWIRE_KERNEL(name, result, parameters, arguments) .name = counting::name<T>,
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL
  };
}

template <typename T>
void RunEveryOperator() {
  for (const std::string& spec : ExampleSpecs()) {
    const Site site = SiteOf(Piece::Whole(1500));
    const auto compressor = ParseCompressor(spec);
    const Encoded<T> encoded = Encode(*compressor, site, Gaussian<T>(1500));
    for (const Into into : {Into::kAdd, Into::kStream}) Decode<T>(*compressor, site, encoded.bytes, 1, into);
  }
}

/// Links that move a shift, share out memory, look before they send or iterate, and an owner with a regulariser.
template <typename T>
void RunLinks() {
  const std::vector<Parameter> parameters = {{"w", {40, 50}}};
  for (const auto& [method, compressor] : {std::pair{"diana", "qsgd:7"},
                                           {"ef21", "topk:1%"},
                                           {"lag", "identity"},
                                           {"econtrol", "topk:1%"},
                                           {"ef", "sign"},
                                           {"powersgd", "rank:2"}})
    for (const Prox& prox : {Prox{}, Prox{Prox::Kind::kL2, 0.1}})
      RunRanks(2, [&](Collective& collective) {
        CommConfig comm;
        comm.method = method, comm.compressor = compressor, comm.min_compress_numel = 0;
        ExchangeParts parts = MakeParts(comm, /*seed=*/1);
        parts.prox = prox;
        Exchange<T> exchange(collective, parameters, parts);
        DirectSink<T> sink(exchange);
        const std::vector<T> point = Gaussian<T>(2000);
        for (uint64_t step = 0; step < 3; ++step) {
          std::vector<T> gradient = Gaussian<T>(2000, step);
          const std::vector<Segment> segments = {{0, 0, 2000}};
          Bucket<T> bucket{0, segments, gradient};
          bucket.point = point;
          PushAndWait<T>(sink, {step, /*lr=*/0.1}, bucket);
        }
      });
}

template <typename T>
void ExpectAllCalled() {
  for (const std::string_view name : kernels::Names())
    Calls<float>()[name] = 0, Calls<double>()[name] = 0;  // both: an exchange of floats sums in double
  const kernels::Isa counting = {"counting", [] { return true; }, CountingTable<float>(), CountingTable<double>()};
  const kernels::Isa& before = kernels::Use(counting);
  RunEveryOperator<T>();
  RunLinks<T>();
  kernels::Use(before);
  for (const auto& [name, calls] : Calls<T>()) EXPECT_GT(calls, 0) << name << " was never dispatched";
}

TEST(Dispatch, ReachesEveryKernelOfTheListInFloat) { ExpectAllCalled<float>(); }
TEST(Dispatch, ReachesEveryKernelOfTheListInDouble) { ExpectAllCalled<double>(); }

}  // namespace
}  // namespace gradwire
