// SPDX-License-Identifier: Apache-2.0
// The list of kernels x instruction sets x lengths x misaligned starts x nasty values: every form writes what the
// scalar one, the specification, writes.
#include "kernels/kernels.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "measure/kernel_cases.h"
#include "support/vectors.h"

namespace gradwire {
namespace {

using namespace testing;
using kernels::Isa;

const Isa& Scalar() { return *kernels::Isas().back(); }

/// Around the lanes of every vector (4 to 64 elements), blocks and what is left over.
std::vector<size_t> Lengths() {
  std::set<size_t> lengths = {0, 1, 3, 1023, 1024, 1025, 2050, 5000};
  for (const size_t lanes : {4, 8, 16, 32, 64, 128}) lengths.insert({lanes - 1, lanes, lanes + 1, 8 * lanes + 2});
  return {lengths.begin(), lengths.end()};
}

template <typename T>
void ExpectSpecification(const Isa& isa, const KernelCase<T>& kernel, std::span<const T> values, const char* vector) {
  for (const size_t offset : {0, 1, 3, 5}) {
    Operands<T> expected = kernel.Prepared(values, offset), found = kernel.Prepared(values, offset);
    kernel.call(Scalar().table<T>(), expected);
    kernel.call(isa.table<T>(), found);
    ASSERT_TRUE(found == expected) << isa.name << ": " << kernel.name << " of " << values.size() << " elements, "
                                   << vector << ", " << offset << " behind an aligned place";
  }
}

class Kernels : public ::testing::TestWithParam<const Isa*> {
 protected:
  void SetUp() override {
    if (GetParam()->runs()) return;
    GTEST_SKIP() << "this processor has no " << GetParam()->name
                 << " instructions, whose kernels would stop the test: a machine that has them compares them";
  }
  template <typename T>
  void ExpectAll() const {
    for (const KernelCase<T>& kernel : KernelCases<T>())
      for (const size_t n : Lengths()) {
        if (n < kernel.least) continue;
        for (const NamedVector<T>& vector : NastyVectors<T>(n))
          ExpectSpecification<T>(*GetParam(), kernel, vector.values, vector.name);
      }
  }
};

TEST_P(Kernels, WriteWhatTheSpecificationWrites) {
  ExpectAll<float>();
  ExpectAll<double>();
}

/// Random rounding looks at more than half of a draw in one case of 32,768: among so many elements there are some.
TEST_P(Kernels, AgreeWhereTheLowerHalfOfADrawDecides) {
  const std::vector<float> values = Gaussian<float>(400'000);
  for (const KernelCase<float>& kernel : KernelCases<float>())
    if (kernel.name.starts_with("Encode")) ExpectSpecification<float>(*GetParam(), kernel, values, "Gaussian");
}

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Kernels, ::testing::ValuesIn(kernels::Isas()),
                         [](const auto& info) { return std::string(info.param->name); });

#if defined(__x86_64__) || defined(__aarch64__)
TEST(KernelList, HasAFormForThisProcessorsVectors) {  // else the comparison above is of the specification with itself
  EXPECT_GT(kernels::Isas().size(), 1u);
}
#endif

TEST(KernelList, HasACaseForEachKernel) {
  std::set<std::string_view> listed(kernels::Names().begin(), kernels::Names().end()), called;
  for (const auto& kernel : KernelCases<float>()) called.insert(kernel.name);
  EXPECT_EQ(called, listed) << "each kernel of kernels.inc has a case in src/measure/kernel_cases.h";
}

/// The specification with one element of one kernel wrong.
TEST(KernelCases, SeeAWrongBit) {
  Isa wrong = Scalar();
  wrong.f32.Add = [](std::span<const float> v, std::span<float> out) {
    Scalar().f32.Add(v, out);
    if (out.size() == 65) out[64] = -out[64];
  };
  const auto cases = KernelCases<float>();
  const auto add = std::ranges::find(cases, "Add", &KernelCase<float>::name);
  const std::vector<float> values = Gaussian<float>(65);
  Operands<float> expected = add->Prepared(values, 1), found = add->Prepared(values, 1);
  add->call(Scalar().f32, expected);
  add->call(wrong.f32, found);
  EXPECT_FALSE(found == expected);
}

TEST(ForceIsa, TakesTheBestWhereNoneIsNamed) {
  EXPECT_EQ(&kernels::IsaFor(""), *std::ranges::find_if(kernels::Isas(), [](const Isa* isa) { return isa->runs(); }));
}

TEST(ForceIsa, TakesTheOneThatIsNamed) { EXPECT_EQ(&kernels::IsaFor("scalar"), &Scalar()); }

TEST(ForceIsa, RefusesANameThatIsNone) {
  try {
    kernels::IsaFor("mmx");
    FAIL();
  } catch (const ConfigError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("GRADWIRE_FORCE_ISA=mmx: no such instruction set; expected one of"), what.npos) << what;
    EXPECT_NE(what.find("scalar"), what.npos) << what;
  }
}

}  // namespace
}  // namespace gradwire
