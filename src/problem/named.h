// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "problem/problem.h"

namespace gradwire {

// What objective.name and objective.data call problems and samples that need no file.

/// A problem that is whole in itself.
struct NamedProblem {
  std::string_view name;  ///< objective.name: quadratic, or a loss
  std::string_view data;
  Problem (*make)(size_t workers);  ///< has a number of workers of its own, or throws ConfigError
};
const std::vector<NamedProblem>& NamedProblems();
const NamedProblem* FindProblem(std::string_view name, std::string_view data);  ///< null: there is none

/// Samples for any loss that takes them.
struct NamedSamples {
  std::string_view data;
  bool are_classes;  ///< targets are +1 and -1
  double ridge;      ///< lambda in place of 0, for losses that need one
  std::shared_ptr<const LabelledRows> (*make)();
};
const std::vector<NamedSamples>& AllNamedSamples();
const NamedSamples* FindSamples(std::string_view data);  ///< null: there are none

/// Whether this is the name of some problem or samples, and so no file.
bool IsNamed(std::string_view data);

inline constexpr std::string_view kPersonal = "personal";  ///< objective.name of those in personal_problems.h
inline constexpr std::string_view kSoftmax = "softmax";    ///< objective.name of SoftmaxProblem

/// Whether an objective of that name takes samples: a loss, or softmax.
bool TakesSamples(std::string_view name);
bool Fit(const NamedSamples& samples, std::string_view name);

/// What objective.data may be, in words: e.g. "q3, qh, qk, two_tilts or graded".
std::string DataOf(std::string_view name);

}  // namespace gradwire
