// SPDX-License-Identifier: Apache-2.0
#pragma once

// A decoder written from src/wire/FORMAT.md alone. It shares no code with the library on purpose, and is as plain as
// can be: it shows that the document suffices.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <xxhash.h>

#include "wire/format_operators.h"

namespace gradwire::format {

struct Settings {
  std::string spec;     ///< of the compressor
  uint64_t seed = 0;    ///< of the job's random bits
  bool tensor = false;  ///< piece: tensor
  size_t min_compress_numel = 0;
  bool compress_1d = false;
  std::string participation = "all";
  uint32_t ranks = 1;
};

struct Tensor {
  size_t numel, dimensions;
};

/// The text cut at each of these characters.
inline std::vector<std::string> Cut(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) c == at ? parts.emplace_back() : parts.back() += c;
  return parts;
}

/// independent: 1 / p for a rank that takes part.
inline std::vector<double> IndependentWeights(const Settings& settings, const std::string& list, Coins coins) {
  const std::vector<std::string> percents = Cut(list, ',');
  std::vector<double> weights(settings.ranks);
  for (uint32_t rank = 0; rank < settings.ranks; ++rank) {
    const double p = std::stod(percents[rank % percents.size()]) / 100;
    if (coins.Uniform() < p) weights[rank] = 1 / p;
  }
  return weights;
}

/// sets: the same for the ranks of the set that is drawn.
inline std::vector<double> SetWeights(const Settings& settings, const std::string& list, Coins coins) {
  double sum = 0;
  std::vector<double> with(settings.ranks), weights(settings.ranks);
  const auto ranks_of = [](const std::string& set) { return Cut(Cut(set, '=')[0], '+'); };
  const auto weight_of = [](const std::string& set) { return std::stod(Cut(set, '=')[1]); };
  for (const std::string& set : Cut(list, ',')) {
    sum += weight_of(set);
    for (const std::string& rank : ranks_of(set)) with[std::stoul(rank)] += weight_of(set);
  }
  const double u = coins.Uniform();
  double up_to = 0;
  for (const std::string& set : Cut(list, ',')) {
    up_to += weight_of(set);
    if (!(up_to > u * sum)) continue;
    for (const std::string& rank : ranks_of(set)) weights[std::stoul(rank)] = 1 / (with[std::stoul(rank)] / sum);
    return weights;
  }
  return weights;
}

/// The weight of each rank in a step: n / r for each time that it was drawn, or 1 / p.
inline std::vector<double> Weights(const Settings& settings, uint64_t step) {
  if (settings.participation == "all") return std::vector<double>(settings.ranks, 1);
  const size_t colon = settings.participation.find(':');
  const std::string kind = settings.participation.substr(0, colon), list = settings.participation.substr(colon + 1);
  if (kind == "independent") return IndependentWeights(settings, list, Coins(settings.seed, 11, step));
  if (kind == "sets") return SetWeights(settings, list, Coins(settings.seed, 11, step));
  const double percent = std::stod(settings.participation.substr(colon + 1)), n = settings.ranks;
  const uint32_t r = std::max(1u, static_cast<uint32_t>(std::lround(percent / 100 * n)));
  Coins coins(settings.seed, 11, step);
  std::vector<uint32_t> a;
  for (uint32_t rank = 0; rank < settings.ranks; ++rank) a.push_back(rank);
  std::vector<double> weights(settings.ranks);
  for (uint32_t i = 0; i < r; ++i) {
    const bool nice = settings.participation.starts_with("nice");
    const uint32_t j = nice ? i + coins.Below(settings.ranks - i) : coins.Below(settings.ranks);
    if (nice) std::swap(a[i], a[j]);
    weights[nice ? a[i] : j] += n / r;
  }
  return weights;
}

inline size_t Padded(size_t bytes) { return (bytes + 15) / 16 * 16; }

/// The sizes of a parameter's pieces.
inline std::vector<size_t> PiecesOf(const Settings& settings, const Tensor& tensor) {
  if (tensor.numel == 0) return {};
  if (settings.tensor) return {tensor.numel};
  std::vector<size_t> pieces(tensor.numel / 65536, 65536);
  if (tensor.numel % 65536) pieces.push_back(tensor.numel % 65536);
  return pieces;
}

/// The payloads of a message: where they begin, and their places as `layout` has them.
template <typename T>
class Payloads {
 public:
  /// `count`: of the payloads, which the receiver knows.
  Payloads(const Message& message, const Settings& settings, size_t count)
      : message_(message), count_(count), varies_(Varies(settings.spec) || settings.participation != "all") {
    if (varies_) at_ += Padded(4 * count);
    place_ = at_;
  }

  /// The next one. `begin`: its first element within the bucket.
  std::vector<T> Next(Coded coded, size_t begin) {
    const size_t from = at_;
    if (varies_) coded.bytes = Read<uint32_t>(message_, 80 + 4 * (layout_.size() / 5));
    const std::vector<T> values = Piece<T>(message_, at_, coded);
    const size_t bytes = at_ - from, largest = Varies(coded.spec) ? Largest<T>(coded) : bytes;
    if (varies_) Require(Read<uint32_t>(message_, 80 + 4 * (layout_.size() / 5)) == bytes, "a size in the table");
    layout_.insert(layout_.end(), {coded.site.parameter, coded.site.piece, begin, place_, largest});
    place_ += Padded(largest);
    for (; at_ % 16; ++at_) Require(Read<uint8_t>(message_, at_) == 0, "padding");
    return values;
  }

  /// One of a rank that was not drawn. Its layout is that of the others' messages.
  std::vector<T> Empty(const Coded& coded) {
    Require(Read<uint32_t>(message_, 80 + 4 * (layout_.size() / 5)) == 0, "a size in the table");
    layout_.insert(layout_.end(), {0, 0, 0, 0, 0});
    is_layout_known_ = false;
    return std::vector<T>(coded.numel());
  }

  void End() const {
    const size_t table = varies_ ? 80 + Padded(4 * count_) : 0;
    for (size_t i = 80 + 4 * count_; i < table; ++i) Require(Read<uint8_t>(message_, i) == 0, "padding of the table");
    Require(at_ == message_.size() && layout_.size() / 5 == count_, "number of payloads");
    if (!is_layout_known_) return;
    Require(Read<uint64_t>(message_, 48) == XXH3_64bits(layout_.data(), 8 * layout_.size()), "layout");
  }

 private:
  const Message& message_;
  const size_t count_;
  const bool varies_;
  size_t at_ = 80, place_ = 80;
  std::vector<uint64_t> layout_;
  bool is_layout_known_ = true;
};

/// The elements of a bucket as one rank sent them. `bucket`: ids of its parameters, in order.
template <typename T>
std::vector<T> Bucket(const Message& message, const Settings& settings, const std::vector<Tensor>& parameters,
                      const std::vector<uint32_t>& bucket) {
  const uint64_t step = Read<uint64_t>(message, 16) + (uint64_t{Read<uint32_t>(message, 24)} << 40);  // of the bits
  const uint32_t sender = Read<uint32_t>(message, 32);
  Require(Read<uint32_t>(message, 0) == 0x31525747 && Read<uint16_t>(message, 4) == 4, "magic or version");
  Require(Read<uint16_t>(message, 6) <= 1 && Read<uint32_t>(message, 36) == 0, "flags or rates");
  Require(Read<uint64_t>(message, 40) == message.size() - 80, "size");
  Require(Read<uint64_t>(message, 64) == 0 && Read<uint64_t>(message, 72) == 0, "tag");
  Require(Read<uint64_t>(message, 56) == XXH3_64bits_withSeed(&message[80], message.size() - 80, message[6]),
          "checksum");
  std::vector<T> elements;
  size_t count = 0;
  for (const uint32_t id : bucket) count += PiecesOf(settings, parameters[id]).size();
  Payloads<T> payloads(message, settings, count);
  const bool is_drawn = Weights(settings, step).at(sender) > 0;
  for (const uint32_t id : bucket) {
    const Tensor& tensor = parameters[id];
    if (tensor.numel == 0) continue;
    const bool dense = tensor.numel < settings.min_compress_numel || (!settings.compress_1d && tensor.dimensions < 2);
    const std::vector<size_t> pieces = PiecesOf(settings, tensor);
    for (size_t i = 0; i < pieces.size(); ++i) {
      const Site site{settings.seed, sender, step, id, static_cast<uint32_t>(i)};
      const Coded coded{dense ? "identity" : settings.spec, pieces, site};
      const std::vector<T> values = dense || is_drawn ? payloads.Next(coded, elements.size()) : payloads.Empty(coded);
      elements.insert(elements.end(), values.begin(), values.end());
    }
  }
  payloads.End();
  return elements;
}

/// What every rank makes of the messages: elements by rank -> result. `weights`: by rank; n of them, 1 for dense
/// pieces.
template <typename T>
std::vector<T> Result(const std::vector<std::vector<T>>& ranks, const std::vector<double>& weights) {
  std::vector<T> result(ranks[0].size());
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    const T w = static_cast<T>(weights[rank] * (1.0 / static_cast<double>(ranks.size())));
    for (size_t i = 0; i < result.size(); ++i) result[i] += w * ranks[rank][i];
  }
  return result;
}

}  // namespace gradwire::format
