// SPDX-License-Identifier: Apache-2.0
#include "gossip/neighbours.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "exchange/agree.h"
#include "gradwire/error.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

/// Of the operators' random bits: a worker's two vectors must not draw the same ones.
constexpr std::array<Purpose, Neighbours::kVectors> kPurposes = {Purpose::kCompress, Purpose::kLearn};

LinkEnd<double> MakeEnd(const ExchangeParts& parts, size_t dimension, uint32_t worker, size_t vector, uint64_t token) {
  return {{{"x", {static_cast<int64_t>(dimension)}}}, parts, static_cast<int>(worker), token, kPurposes[vector]};
}

/// A worker, and whom it hears.
std::vector<uint32_t> Around(const Mixing& mixing, uint32_t worker) {
  std::vector<uint32_t> known = mixing.HeardBy(worker);
  known.insert(known.begin(), worker);
  return known;
}

/// What both forms have in common: the ends of links, and what they know.
class Links : public Neighbours {
 public:
  Links(const Mixing& mixing, const ExchangeParts& parts, size_t dimension, std::vector<uint32_t> own,
        const std::vector<uint32_t>& known, uint64_t token)
      : mixing_(mixing), own_(std::move(own)) {
    for (size_t vector = 0; vector < kVectors; ++vector) {
      for (const uint32_t worker : own_)
        senders_[vector].emplace(worker, MakeEnd(parts, dimension, worker, vector, token));
      for (const uint32_t worker : known)
        known_[vector].emplace(worker,
                               Known{MakeEnd(parts, dimension, worker, vector, token), std::vector<double>(dimension)});
    }
  }

  const std::vector<uint32_t>& own() const override { return own_; }
  size_t workers() const override { return mixing_.workers(); }

  void Mix(Vector vector, size_t place, double gamma, std::span<double> out) const override {
    const uint32_t worker = own_[place];
    const std::vector<double>& self = known_[vector].at(worker).copy;
    const Weights& weights = WeightsOf(told_[vector] == 0 ? 0 : told_[vector] - 1);
    std::ranges::fill(out, 0.0);
    if (const double excess = weights.excess[worker]; excess != 0)
      for (size_t j = 0; j < out.size(); ++j) out[j] = gamma * excess * self[j];
    for (const Weights::Neighbour& neighbour : weights.neighbours[worker]) {
      const std::vector<double>& other = known_[vector].at(neighbour.worker).copy;
      for (size_t j = 0; j < out.size(); ++j) out[j] += gamma * neighbour.weight * (other[j] - self[j]);
    }
  }

  ExchangeStats stats(size_t place) const override {
    const uint32_t worker = own_[place];
    ExchangeStats stats;
    for (const auto& senders : senders_) stats += senders.at(worker).stats();
    const size_t copies = WeightsOf(0).listeners[worker].size();  // the same in all rounds
    stats.frame_bytes *= copies, stats.payload_bytes *= copies;
    return stats;
  }

  Kept Save(size_t place) const override {
    Kept kept;
    for (const auto& senders : senders_) kept.ends.push_back(senders.at(own_[place]).Save());
    for (const uint32_t worker : Around(mixing_, own_[place]))
      for (const auto& known : known_) {
        kept.ends.push_back(known.at(worker).receiver.Save());
        kept.copies.push_back(known.at(worker).copy);
      }
    kept.told.assign(told_.begin(), told_.end());
    return kept;
  }

  void Load(size_t place, const Kept& kept) override {
    const std::vector<uint32_t> workers = Around(mixing_, own_[place]);
    if (kept.ends.size() != kVectors * (1 + workers.size()) || kept.copies.size() != kVectors * workers.size() ||
        kept.told.size() != kVectors)
      throw Error(fmt::format("a save of worker {}: it has other neighbours there", own_[place]));
    size_t end = 0, copy = 0;
    for (auto& senders : senders_) senders.at(own_[place]).Load(kept.ends[end++]);
    for (const uint32_t worker : workers)
      for (auto& known : known_) {
        known.at(worker).receiver.Load(kept.ends[end++]);
        known.at(worker).copy = kept.copies[copy++];
      }
    std::ranges::copy(kept.told, told_.begin());
  }

 protected:
  std::vector<std::byte> Pack(Vector vector, uint32_t worker, std::span<const double> values) {
    return senders_[vector].at(worker).Pack(told_[vector], 1, values);
  }
  void Take(Vector vector, uint32_t worker, std::span<const std::byte> message) {
    Known& known = known_[vector].at(worker);
    known.receiver.Unpack(told_[vector], 1, message, known.copy);
  }

  /// Of a vector's message of that number.
  const Weights& WeightsOf(uint64_t number) const { return mixing_.rounds[number % mixing_.rounds.size()]; }

  const Mixing& mixing_;
  const std::vector<uint32_t> own_;
  std::array<uint64_t, kVectors> told_ = {};

 private:
  struct Known {
    LinkEnd<double> receiver;
    std::vector<double> copy;
  };

  std::array<std::map<uint32_t, LinkEnd<double>>, kVectors> senders_;
  std::array<std::map<uint32_t, Known>, kVectors> known_;  // by worker
};

std::vector<uint32_t> All(const Mixing& mixing) {
  std::vector<uint32_t> all(mixing.workers());
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

class Here final : public Links {
 public:
  Here(const Mixing& mixing, const ExchangeParts& parts, size_t dimension)
      : Links(mixing, parts, dimension, All(mixing), All(mixing), /*token=*/0) {}

  void Tell(Vector vector, std::span<const std::span<const double>> values) override {
    for (const uint32_t worker : own_) Take(vector, worker, Pack(vector, worker, values[worker]));
    ++told_[vector];
  }
  void Sum(std::span<double>) const override {}
};

/// For people, and the same only where the graphs are.
std::string TextOf(const Mixing& mixing, const ExchangeParts& parts, size_t dimension) {
  std::string text = fmt::format("link: {}\ncompressor: {}\nelements: {}\nseed: {}\n", parts.link.name,
                                 parts.compressor->spec(), dimension, parts.seed);
  for (const Weights& weights : mixing.rounds)
    for (size_t i = 0; i < mixing.workers(); ++i) {
      text += fmt::format("neighbours of worker {}:", i);
      for (const Weights::Neighbour& neighbour : weights.neighbours[i])
        text += fmt::format(" {} ({})", neighbour.worker, neighbour.weight);
      text += '\n';
    }
  return text;
}

class OverCollective final : public Links {
 public:
  OverCollective(const Mixing& mixing, const ExchangeParts& parts, size_t dimension, Collective& collective)
      : Links(mixing, parts, dimension, {static_cast<uint32_t>(collective.rank())},
              Around(mixing, static_cast<uint32_t>(collective.rank())),
              Agree(collective, TextOf(mixing, parts, dimension))),
        collective_(collective),
        most_(sizeof(Frame) + kRoom + dimension * 2 * sizeof(double)) {}

  /// Messages vary in size, so that their lengths travel before them.
  void Tell(Vector vector, std::span<const std::span<const double>> values) override {
    const uint32_t rank = own_[0];
    const std::vector<std::byte> message = Pack(vector, rank, values[0]);
    const Weights& weights = WeightsOf(told_[vector]);
    const auto& heard = weights.neighbours[rank];
    uint64_t length = message.size();
    std::vector<uint64_t> lengths(heard.size());
    Swap(weights, std::as_bytes(std::span(&length, 1)),
         [&](size_t k) { return std::as_writable_bytes(std::span(&lengths[k], 1)); });
    std::vector<std::vector<std::byte>> messages;
    for (size_t k = 0; k < lengths.size(); ++k) messages.emplace_back(CheckedLength(lengths[k], heard[k].worker));
    Swap(weights, message, [&](size_t k) { return std::span(messages[k]); });
    Take(vector, rank, message);
    for (size_t k = 0; k < messages.size(); ++k) Take(vector, heard[k].worker, messages[k]);
    ++told_[vector];
  }

  void Sum(std::span<double> values) const override { collective_.Finish(collective_.StartAllReduce(values)); }

 private:
  static constexpr size_t kRoom = 4096;  // for what payloads have beside their elements

  size_t CheckedLength(uint64_t length, uint32_t worker) const {
    if (length <= most_) return length;
    throw PeerError(static_cast<int>(worker),
                    fmt::format("rank {} announced a message of {} bytes, expected at most {}", worker, length, most_));
  }

  /// One message to all who listen, and of each who is heard one into room(its place).
  template <typename Room>
  void Swap(const Weights& weights, std::span<const std::byte> message, const Room& room) {
    std::vector<Outgoing> outgoing;
    std::vector<Incoming> incoming;
    for (const uint32_t listener : weights.listeners[own_[0]])
      outgoing.push_back({static_cast<int>(listener), message});
    const auto& heard = weights.neighbours[own_[0]];
    for (size_t k = 0; k < heard.size(); ++k) incoming.push_back({static_cast<int>(heard[k].worker), room(k)});
    collective_.Finish(collective_.Start(outgoing, incoming));
  }

  Collective& collective_;
  const size_t most_;  // bytes of a message
};

}  // namespace

std::unique_ptr<Neighbours> MakeNeighbours(const Mixing& mixing, const ExchangeParts& parts, size_t dimension) {
  return std::make_unique<Here>(mixing, parts, dimension);
}

std::unique_ptr<Neighbours> MakeNeighbours(const Mixing& mixing, const ExchangeParts& parts, size_t dimension,
                                           Collective& collective) {
  return std::make_unique<OverCollective>(mixing, parts, dimension, collective);
}

}  // namespace gradwire
