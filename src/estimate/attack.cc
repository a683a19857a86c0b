// SPDX-License-Identifier: Apache-2.0
#include "estimate/attack.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/normal.h"
#include "compress/spec.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

/// The honest workers' full gradients at x.
std::vector<std::vector<double>> HonestGradients(const AttackScene& scene) {
  std::vector<std::vector<double>> all(scene.honest, std::vector<double>(scene.x.size()));
  for (size_t i = 0; i < all.size(); ++i) scene.problem.workers[i]->Gradient(scene.x, all[i]);
  return all;
}

void FlipSign(AttackScene& scene, std::span<double> gradient) {
  for (double& g : gradient) g *= -scene.strength;
}

void AddNoise(AttackScene& scene, std::span<double> gradient) {
  for (double& g : gradient) g += scene.strength * Normal(scene.random);
}

void OpposeMean(AttackScene& scene, std::span<double> gradient) {
  std::ranges::fill(gradient, 0.0);
  for (const std::vector<double>& honest : HonestGradients(scene))
    for (size_t j = 0; j < gradient.size(); ++j)
      gradient[j] -= scene.strength * honest[j] / static_cast<double>(scene.honest);
}

/// The mean of the honest less so many standard deviations of them, in each coordinate.
void HideInSpread(AttackScene& scene, std::span<double> gradient) {
  const std::vector<std::vector<double>> all = HonestGradients(scene);
  for (size_t j = 0; j < gradient.size(); ++j) {
    double mean = 0, square = 0;
    for (const std::vector<double>& honest : all) mean += honest[j] / static_cast<double>(all.size());
    for (const std::vector<double>& honest : all)
      square += (honest[j] - mean) * (honest[j] - mean) / static_cast<double>(all.size());
    gradient[j] = mean - scene.strength * std::sqrt(square);
  }
}

void CopyFirst(AttackScene& scene, std::span<double> gradient) {
  scene.problem.workers[0]->Gradient(scene.x, gradient);
  for (double& g : gradient) g *= scene.strength;
}

/// Changes the values of buckets on their way.
class ChangingSink final : public BucketSink<double> {
 public:
  ChangingSink(BucketSink<double>& inner, const std::function<void(const Round&, std::span<double>)>& change)
      : inner_(inner), change_(change) {}
  void Push(const Round& round, const Bucket<double>& bucket, std::function<void(std::exception_ptr)> done) override {
    change_(round, bucket.values);
    inner_.Push(round, bucket, std::move(done));
  }

 private:
  BucketSink<double>& inner_;
  const std::function<void(const Round&, std::span<double>)>& change_;
};

}  // namespace

const std::vector<Attack>& Attacks() {
  static const std::vector<Attack> attacks = {
      {.name = "sign_flip", .summary = "its gradient times -S", .source = "", .strength = 10, .act = FlipSign},
      {.name = "noise",
       .summary = "its gradient and Gaussian noise of standard deviation S on each coordinate, new in each round",
       .source = "",
       .strength = 1000,
       .act = AddNoise},
      {.name = "inner_product",
       .summary = "the mean of the honest workers' gradients times -S",
       .source = "Xie, Koyejo, Gupta 2020, arXiv 1903.03936",
       .strength = 10,
       .act = OpposeMean},
      {.name = "little",
       .summary = "in each coordinate the honest workers' mean less S standard deviations of theirs",
       .source = "Baruch, Baruch, Goldberg 2019, arXiv 1902.06156",
       .strength = 1.5,
       .act = HideInSpread},
      {.name = "mimic",
       .summary = "the first worker's gradient times S, so that it counts more often",
       .source = "Karimireddy, He, Jaggi 2022, arXiv 2006.09365",
       .strength = 1,
       .act = CopyFirst},
  };
  return attacks;
}

std::string AttackChoice::text() const {
  return attack == nullptr ? "none" : fmt::format("{}:{:.12g}", attack->name, strength);
}

AttackChoice ParseAttack(std::string_view text) {
  if (text == "none") return {};
  const std::vector<std::string_view> parts = Split(text, ':');
  std::vector<std::string_view> names;
  for (const Attack& attack : Attacks()) {
    names.push_back(attack.name);
    if (attack.name != parts[0] || parts.size() > 2) continue;
    const auto strength = parts.size() == 1 ? std::optional(attack.strength) : ReadNumber(parts[1]);
    if (strength && *strength >= 0) return {&attack, *strength};
  }
  throw ConfigError(fmt::format("found '{}', expected none or one of {}, and perhaps :S with a number S >= 0", text,
                                fmt::join(names, ", ")));
}

Attacker::Attacker(Objective<double>& inner, std::shared_ptr<const Problem> problem, size_t wrong, size_t worker,
                   AttackChoice choice, uint64_t seed)
    : inner_(inner),
      problem_(std::move(problem)),
      honest_(problem_->workers.size() - wrong),
      worker_(worker),
      choice_(choice),
      seed_(seed) {}

void Attacker::Gradient(const Round& round, BucketSink<double>& sink) {
  const std::function<void(const Round&, std::span<double>)> change = [this](const Round& of,
                                                                             std::span<double> values) {
    AttackScene scene{*problem_, honest_, inner_.parameter_values()[0], choice_.strength,
                      Philox(seed_, Purpose::kAttack, worker_, of.draw())};
    choice_.attack->act(scene, values);
  };
  ChangingSink changing(sink, change);
  inner_.Gradient(round, changing);
}

}  // namespace gradwire
