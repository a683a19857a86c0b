// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/aggregate.h"
#include "gradwire/scratch.h"

namespace gradwire {

/// The decoded messages of one piece, and what a rule may use. T is float or double.
template <typename T>
struct Decoded {
  std::span<T> vectors;             ///< one sender's behind the other's, in rank order; a rule may write here
  size_t senders;                   ///< at least 1
  std::span<const uint32_t> order;  ///< of the senders, random and the same on all ranks, new in each round
  std::span<T> centre;              ///< the aggregate of the round before, 0 at first; empty where none is kept
  Scratch& scratch;

  size_t numel() const { return vectors.size() / senders; }
  std::span<T> Of(size_t sender) const { return vectors.subspan(sender * numel(), numel()); }
};

/// A way to make one vector of those of all senders: a row of the list below. Operations have one order, that of the
/// ranks or of the sorted values, so that replicas agree bit for bit.
struct AggregateRule {
  /// What holds of the result where no more senders than Tolerates are wrong, however wrong they are.
  enum class Promise {
    kNone,   ///< of the mean
    kRange,  ///< each element lies within the range of the other senders'
    kNorm,   ///< its norm is at most the largest of the other senders' (and a rounding)
    kStep,   ///< it is no further from the aggregate of the round before than tau x steps
  };

  std::string_view form;     ///< "trimmed:F", of which the name is what stands before ':'
  std::string_view example;  ///< a text of it
  std::string_view summary;
  std::string_view source;
  Promise promise = Promise::kNone;
  bool remembers = false;  ///< Decoded::centre
  bool draws = false;      ///< Decoded::order
  /// The numbers behind the name, its arguments; empty where they are none of this rule.
  std::optional<Aggregate> (*read)(const std::vector<std::string_view>& arguments) = nullptr;
  std::string (*arguments)(const Aggregate&) = nullptr;  ///< as `read` takes them, with ':' in front; or ""
  size_t (*tolerates)(const Aggregate&, size_t senders) = nullptr;
  /// Why it cannot be of so many; empty where it can.
  std::string (*misfit)(const Aggregate&, size_t senders) = nullptr;
  void (*f32)(const Aggregate&, const Decoded<float>&, std::span<float> out) = nullptr;
  void (*f64)(const Aggregate&, const Decoded<double>&, std::span<double> out) = nullptr;

  std::string_view name() const { return form.substr(0, form.find(':')); }
};

/// The mean is the first row, and has no function.
const std::vector<AggregateRule>& AggregateRules();
/// What a promise is, for people.
std::string_view TextOf(AggregateRule::Promise promise);

/// Writes what the aggregate, no mean, makes of the vectors into `out`, a piece that is none of them, and into
/// the centre where one is kept. A NaN counts as larger than any number, and a vector whose norm is no finite number as
/// zeros where the rule asks for norms. Allocates nothing but scratch.
template <typename T>
void Combine(const Aggregate& aggregate, const Decoded<T>& decoded, std::span<T> out);

/// Fills `order` with the senders 0, 1, ... in the random order of a round (Round::draw).
void DrawOrder(uint64_t seed, uint64_t draw, std::span<uint32_t> order);

}  // namespace gradwire
