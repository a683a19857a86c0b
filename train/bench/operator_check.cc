// SPDX-License-Identifier: Apache-2.0
#include "train/bench/operator_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "measure/kernel_cases.h"
#include "measure/operator_trial.h"

namespace gradwire::train {
namespace {

/// While one lives, these kernels run.
class Using {
 public:
  explicit Using(const kernels::Isa& isa) : before_(kernels::Use(isa)) {}
  ~Using() { kernels::Use(before_); }
  Using(const Using&) = delete;

 private:
  const kernels::Isa& before_;
};

struct Results {
  std::vector<std::byte> payloads;
  std::vector<float> before, residual;  // of the last step with feedback
  std::vector<float> mean, sent;        // sent: that step's C(u)
};

Results Run(const std::string& spec, const kernels::Isa& isa, const std::vector<std::vector<float>>& gradients) {
  const Using active(isa);
  const size_t numel = gradients[0].size();
  OperatorTrial trial(spec, numel, gradients.size());
  Results results;
  const auto keep_payload = [&](size_t worker) {
    const std::vector<std::byte> payload = trial.PayloadOf(worker);
    results.payloads.insert(results.payloads.end(), payload.begin(), payload.end());
  };
  for (size_t worker = 0; worker < gradients.size(); ++worker) {
    trial.Encode(worker, gradients[worker]);
    keep_payload(worker);
  }
  results.mean.resize(numel);
  trial.Decode(gradients.size(), results.mean);
  results.residual.resize(numel), results.sent.resize(numel);
  for (const std::vector<float>& gradient : gradients) {
    trial.NextStep();
    results.before = results.residual;
    trial.EncodeWithFeedback(0, gradient, results.residual);
    keep_payload(0);
  }
  trial.Decode(1, results.sent);
  return results;
}

template <typename T>
std::string Difference(const char* what, const std::vector<T>& found, const std::vector<T>& expected) {
  if (found.size() != expected.size())
    return fmt::format("{} of {} bytes, the scalar kernels' has {}", what, found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    if (std::memcmp(&found[i], &expected[i], sizeof(T)) != 0) {
      if constexpr (std::is_same_v<T, float>)
        return fmt::format("element {} of the {} is {}, the scalar kernels give {}", i, what, found[i], expected[i]);
      else
        return fmt::format("byte {} of the {} is {:#04x}, the scalar kernels give {:#04x}", i, what,
                           static_cast<int>(found[i]), static_cast<int>(expected[i]));
    }
  return "";
}

template <typename T>
void AddWrongKernels(const kernels::Isa& isa, const std::vector<float>& gradient, std::vector<std::string>& wrong) {
  const std::vector<T> values(gradient.begin(), gradient.end());
  for (const testing::KernelCase<T>& kernel : testing::KernelCases<T>()) {
    testing::Operands<T> expected = kernel.Prepared(values, 0), found = kernel.Prepared(values, 0);
    kernel.call(kernels::Isas().back()->table<T>(), expected);
    kernel.call(isa.table<T>(), found);
    const std::string name = fmt::format("{} of f{}", kernel.name, 8 * sizeof(T));
    if (!(found == expected) && std::ranges::find(wrong, name) == wrong.end()) wrong.push_back(name);
  }
}

std::string WrongRest(const Results& results, const std::vector<float>& gradient) {
  for (size_t i = 0; i < gradient.size(); ++i) {
    const double u = double{gradient[i]} + results.before[i], rest = u - results.sent[i];
    if (std::abs(results.residual[i] - rest) > 1e-6 * (std::abs(u) + std::abs(rest)))
      return fmt::format("element {}: {} is left out and {} kept", i, rest, results.residual[i]);
  }
  return "";
}

}  // namespace

std::vector<std::string> WrongKernels(const kernels::Isa& isa) {
  std::vector<float> gradient(5000);
  FillWithGradient(gradient, /*seed=*/1);
  std::vector<std::string> wrong;
  AddWrongKernels<float>(isa, gradient, wrong);
  AddWrongKernels<double>(isa, gradient, wrong);
  return wrong;
}

std::string WhatIsWrong(const std::string& spec, const kernels::Isa& isa, size_t numel) {
  std::vector<std::vector<float>> gradients(2, std::vector<float>(numel));
  for (size_t i = 0; i < gradients.size(); ++i) FillWithGradient(gradients[i], /*seed=*/i + 1);
  const Results found = Run(spec, isa, gradients), expected = Run(spec, *kernels::Isas().back(), gradients);
  for (const std::string& difference :
       {Difference("payloads", found.payloads, expected.payloads),
        Difference("residual", found.residual, expected.residual), Difference("mean", found.mean, expected.mean)})
    if (!difference.empty()) return difference;
  return WrongRest(found, gradients.back());
}

}  // namespace gradwire::train
