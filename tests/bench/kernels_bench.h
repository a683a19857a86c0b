// SPDX-License-Identifier: Apache-2.0
#pragma once

// What each kernel costs by instruction set: medians over pieces of 65,536 elements, which lie in a core's cache. Each
// one's result is compared with the specification's first.

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "gradwire/piece.h"
#include "support/kernel_cases.h"
#include "support/vectors.h"

namespace gradwire {

/// Nanoseconds an element; each round begins with the same values, whose copying is not counted.
template <typename T>
double NanosecondsOf(const testing::KernelCase<T>& kernel, const kernels::Isa& isa, const std::vector<T>& values) {
  constexpr int kRounds = 21;
  std::vector<double> times;
  for (int round = 0; round < kRounds; ++round) {
    testing::Operands<T> operands(values, /*offset=*/0);
    kernel.Prepare(operands);
    const auto begin = std::chrono::steady_clock::now();
    kernel.call(isa.table<T>(), operands);
    times.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ranges::nth_element(times, times.begin() + kRounds / 2);
  return times[kRounds / 2] / static_cast<double>(values.size());
}

/// The kernels of these names, or all. The exit code.
template <typename T>
int RunKernels(const std::vector<std::string>& names) {
  const std::vector<T> values = testing::Gaussian<T>(kPieceNumel);
  const kernels::Isa& scalar = *kernels::Isas().back();
  fmt::print("{:<20}", fmt::format("f{}, ns an element", 8 * sizeof(T)));
  for (const kernels::Isa* isa : kernels::Isas()) fmt::print("{:>10}", isa->name);
  fmt::print("\n");
  for (const testing::KernelCase<T>& kernel : testing::KernelCases<T>()) {
    if (!names.empty() && std::ranges::find(names, kernel.name) == names.end()) continue;
    fmt::print("{:<20}", kernel.name);
    for (const kernels::Isa* isa : kernels::Isas()) {
      if (!isa->runs()) continue;
      testing::Operands<T> expected(values, 0), found(values, 0);
      kernel.Prepare(expected), kernel.Prepare(found);
      kernel.call(scalar.table<T>(), expected);
      kernel.call(isa->table<T>(), found);
      if (!(found == expected)) return fmt::print("  WRONG: {} differs from the specification\n", isa->name), 1;
      fmt::print("{:>10.3f}", NanosecondsOf(kernel, *isa, values));
    }
    fmt::print("\n");
  }
  return 0;
}

}  // namespace gradwire
