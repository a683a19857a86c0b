// SPDX-License-Identifier: Apache-2.0
#include "problem/named.h"

#include <gtest/gtest.h>

namespace gradwire {
namespace {

TEST(Named, EveryOneIsFoundByItsName) {
  for (const NamedProblem& named : NamedProblems()) {
    const NamedProblem* found = FindProblem(named.name, named.data);
    ASSERT_NE(found, nullptr);
    EXPECT_TRUE(IsNamed(named.data));
    const Problem problem = found->make(2);
    EXPECT_TRUE(problem.minimiser) << named.data;
    EXPECT_LE(problem.Value(problem.minimiser->x), problem.Value(problem.start)) << named.data;
  }
  for (const NamedSamples& named : AllNamedSamples()) {
    EXPECT_EQ(FindSamples(named.data), &named);
    EXPECT_TRUE(IsNamed(named.data));
  }
  EXPECT_EQ(FindProblem("logistic", "q3"), nullptr);
  EXPECT_EQ(FindSamples("q3"), nullptr);
  EXPECT_FALSE(IsNamed("a9a"));
}

TEST(Named, SamplesSayWhetherTheyAreClasses) {
  for (const NamedSamples& named : AllNamedSamples()) {
    const auto rows = named.make();
    bool are_classes = true;
    for (const double y : rows->label) are_classes &= y == 1 || y == -1;
    EXPECT_EQ(are_classes, named.are_classes) << named.data;
  }
}

TEST(Named, DataAreToldInWords) {
  EXPECT_EQ(DataOf("quadratic"), "q3, qh, qk, two_tilts or graded");
  EXPECT_EQ(DataOf("personal"), "overpersonalised or personalised");
  EXPECT_EQ(DataOf("logistic"), "lr, lr2, lr3, lr_uneven or a LIBSVM file");
  EXPECT_EQ(DataOf("geman_mcclure"), "alpha_beta, lr, lr2, lr3, lr_uneven, gaussian or a LIBSVM file");
}

}  // namespace
}  // namespace gradwire
