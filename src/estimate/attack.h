// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/philox.h"
#include "driver/objective.h"
#include "problem/problem.h"

namespace gradwire {

/// What a worker that is wrong knows: all of the problem, so the honest workers' full gradients at the point.
struct AttackScene {
  const Problem& problem;
  size_t honest;              ///< workers, the first ones
  std::span<const double> x;  ///< where all workers are
  double strength;
  Philox random;
};

/// A way to be wrong, for experiments: a row of the list below.
struct Attack {
  std::string_view name;
  std::string_view summary;
  std::string_view source;
  double strength;  ///< the usual one
  /// Turns the worker's own gradient into what it sends.
  void (*act)(AttackScene& scene, std::span<double> gradient);
};

const std::vector<Attack>& Attacks();

/// An attack with its strength.
struct AttackChoice {
  const Attack* attack = nullptr;  ///< null: none
  double strength = 0;

  std::string text() const;  ///< "none", "sign_flip:10"
};

/// "none", "sign_flip", "sign_flip:3". Throws ConfigError ("found ..., expected ...").
AttackChoice ParseAttack(std::string_view text);

/// An objective whose gradients are another worker's attack: the rest, its point among it, is the worker's own, so that
/// it steps as all do. One worker of a problem, whose buckets are of one parameter; not thread-safe.
class Attacker final : public Objective<double> {
 public:
  /// `inner` outlives this. The last `wrong` workers of the problem attack; `worker` is one of them.
  Attacker(Objective<double>& inner, std::shared_ptr<const Problem> problem, size_t wrong, size_t worker,
           AttackChoice choice, uint64_t seed);

  const std::vector<Parameter>& parameters() const override { return inner_.parameters(); }
  void Gradient(const Round& round, BucketSink<double>& sink) override;
  std::vector<std::span<double>> parameter_values() override { return inner_.parameter_values(); }
  std::vector<std::span<double>> gradient() override { return inner_.gradient(); }
  void Step(double lr) override { inner_.Step(lr); }
  void AddDecay() override { inner_.AddDecay(); }
  void MoveAnchor() override { inner_.MoveAnchor(); }

 private:
  Objective<double>& inner_;
  const std::shared_ptr<const Problem> problem_;
  const size_t honest_, worker_;
  const AttackChoice choice_;
  const uint64_t seed_;
};

}  // namespace gradwire
