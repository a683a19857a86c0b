// SPDX-License-Identifier: Apache-2.0
#include "problem/named.h"

#include <algorithm>

#include <fmt/format.h>

#include "problem/graded.h"
#include "problem/personal_problems.h"

namespace gradwire {

const std::vector<NamedProblem>& NamedProblems() {
  static const std::vector<NamedProblem> problems = {
      {"quadratic", "q3", [](size_t) { return Q3(); }},
      {"quadratic", "qh", [](size_t) { return QH(); }},
      {"quadratic", "qk", [](size_t) { return QK(); }},
      {"quadratic", "two_tilts", [](size_t) { return TwoTilts(); }},
      {"quadratic", "graded", Graded},
      {"geman_mcclure", "alpha_beta", [](size_t workers) { return AlphaBeta(workers); }},
      {kPersonal, "overpersonalised", Overpersonalised},
      {kPersonal, "personalised", Personalised},
  };
  return problems;
}

const NamedProblem* FindProblem(std::string_view name, std::string_view data) {
  const auto found =
      std::ranges::find_if(NamedProblems(), [&](const NamedProblem& p) { return p.name == name && p.data == data; });
  return found == NamedProblems().end() ? nullptr : &*found;
}

const std::vector<NamedSamples>& AllNamedSamples() {
  static const std::vector<NamedSamples> samples = {
      {"lr", true, 0.1, [] { return LRSamples(1); }},
      {"lr2", true, 0.01, [] { return LRSamples(3); }},
      {"lr3", true, 0.01, [] { return LR3Samples(); }},
      {"lr_uneven", true, 0.01, [] { return LRSamples(3, 1 / 1.6); }},
      {"gaussian", false, 0, [] { return GaussianSamples(); }},
  };
  return samples;
}

const NamedSamples* FindSamples(std::string_view data) {
  const auto found = std::ranges::find(AllNamedSamples(), data, &NamedSamples::data);
  return found == AllNamedSamples().end() ? nullptr : &*found;
}

bool IsNamed(std::string_view data) {
  return FindSamples(data) != nullptr ||
         std::ranges::any_of(NamedProblems(), [&](const NamedProblem& p) { return p.data == data; });
}

bool TakesSamples(std::string_view name) { return name == kSoftmax || FindLoss(name) != nullptr; }

bool Fit(const NamedSamples& samples, std::string_view name) {
  const Loss* loss = FindLoss(name);
  return samples.are_classes || loss == nullptr || !loss->has_classes;
}

std::string DataOf(std::string_view name) {
  std::vector<std::string_view> words;
  for (const NamedProblem& problem : NamedProblems())
    if (problem.name == name) words.push_back(problem.data);
  if (TakesSamples(name)) {
    for (const NamedSamples& samples : AllNamedSamples())
      if (Fit(samples, name)) words.push_back(samples.data);
    words.push_back("a LIBSVM file");
  }
  const std::string_view last = words.back();
  words.pop_back();
  return fmt::format("{} or {}", fmt::join(words, ", "), last);
}

}  // namespace gradwire
