// SPDX-License-Identifier: Apache-2.0
#include "gossip/neighbours.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "base/timer.h"
#include "exchange/agree.h"
#include "gradwire/cost.h"
#include "gradwire/error.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

/// Of the operators' random bits: a worker's two vectors must not draw the same ones.
constexpr std::array<Purpose, kGossipVectors> kPurposes = {Purpose::kCompress, Purpose::kLearn};

template <typename T>
LinkEnd<T> MakeEnd(const ExchangeParts& parts, const std::vector<Parameter>& parameters, uint32_t worker, size_t vector,
                   uint64_t token) {
  return {parameters, parts, static_cast<int>(worker), token, kPurposes[vector]};
}

/// A worker, and whom it hears.
std::vector<uint32_t> Around(const Mixing& mixing, uint32_t worker) {
  std::vector<uint32_t> known = mixing.HeardBy(worker);
  known.insert(known.begin(), worker);
  return known;
}

/// What both forms have in common: the ends of links, and what they know.
template <typename T>
class Links : public Neighbours<T> {
 public:
  using Kept = typename Neighbours<T>::Kept;
  using Memory = typename Neighbours<T>::Memory;

  Links(const Mixing& mixing, const ExchangeParts& parts, const std::vector<Parameter>& parameters, size_t vectors,
        std::vector<uint32_t> own, const std::vector<uint32_t>& known, uint64_t token)
      : mixing_(mixing), own_(std::move(own)), told_(vectors), senders_(vectors), known_(vectors) {
    for (size_t vector = 0; vector < vectors; ++vector) {
      for (const uint32_t worker : own_)
        senders_[vector].emplace(worker, MakeEnd<T>(parts, parameters, worker, vector, token));
      for (const uint32_t worker : known)
        known_[vector].emplace(
            worker, Known{MakeEnd<T>(parts, parameters, worker, vector, token), std::vector<T>(Numel(parameters))});
    }
  }

  const std::vector<uint32_t>& own() const override { return own_; }
  size_t workers() const override { return mixing_.workers(); }

  void Mix(GossipVector vector, size_t place, double gamma, std::span<T> out) const override {
    const uint32_t worker = own_[place];
    const std::vector<T>& self = known_[vector].at(worker).copy;
    const Weights& weights = WeightsOf(told_[vector] == 0 ? 0 : told_[vector] - 1);
    std::ranges::fill(out, T{0});
    if (const T excess = static_cast<T>(gamma * weights.excess[worker]); excess != 0)
      for (size_t j = 0; j < out.size(); ++j) out[j] = excess * self[j];
    for (const Weights::Neighbour& neighbour : weights.neighbours[worker]) {
      const std::vector<T>& other = known_[vector].at(neighbour.worker).copy;
      const T weight = static_cast<T>(gamma * neighbour.weight);
      for (size_t j = 0; j < out.size(); ++j) out[j] += weight * (other[j] - self[j]);
    }
  }

  ExchangeStats stats(size_t place) const override {
    const uint32_t worker = own_[place];
    ExchangeStats stats;
    for (const auto& senders : senders_) stats += senders.at(worker).stats();
    for (const auto& known : known_)
      for (const uint32_t other : Around(mixing_, worker)) stats.decode_s += known.at(other).receiver.stats().decode_s;
    stats.wire_s += wire_s_;
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
    for (Memory& end : kept.ends) end.stats.encode_s = end.stats.decode_s = 0;  // times are of this process
    kept.told = told_;
    for (const Weights::Neighbour& neighbour : HeardBy(own_[place]))
      kept.neighbours.push_back(neighbour.worker), kept.weights.push_back(neighbour.weight);
    return kept;
  }

  void Load(size_t place, const Kept& kept) override {
    const std::vector<uint32_t> workers = Around(mixing_, own_[place]);
    CheckNeighbours(place, kept);
    size_t end = 0, copy = 0;
    for (auto& senders : senders_) senders.at(own_[place]).Load(kept.ends[end++]);
    for (const uint32_t worker : workers)
      for (auto& known : known_) {
        known.at(worker).receiver.Load(kept.ends[end++]);
        known.at(worker).copy = kept.copies[copy++];
      }
    told_ = kept.told;
  }

 protected:
  std::vector<std::byte> Pack(GossipVector vector, uint32_t worker, std::span<const T> values) {
    return senders_[vector].at(worker).Pack(told_[vector], 1, values);
  }
  size_t MostBytes(GossipVector vector, uint32_t worker) {
    return known_[vector].at(worker).receiver.MostBytes(told_[vector]);
  }
  void Take(GossipVector vector, uint32_t worker, std::span<const std::byte> message) {
    Known& known = known_[vector].at(worker);
    known.receiver.Unpack(told_[vector], 1, message, known.copy);
  }

  /// Of a vector's message of that number.
  const Weights& WeightsOf(uint64_t number) const { return mixing_.rounds[number % mixing_.rounds.size()]; }

  const Mixing& mixing_;
  const std::vector<uint32_t> own_;
  std::vector<uint64_t> told_;  // messages, by vector
  double wire_s_ = 0;           // waits for neighbours

 private:
  struct Known {
    LinkEnd<T> receiver;
    std::vector<T> copy;
  };

  void CheckNeighbours(size_t place, const Kept& kept) const {
    const std::vector<Weights::Neighbour> here = HeardBy(own_[place]);
    const size_t known = Around(mixing_, own_[place]).size();
    if (std::ranges::equal(kept.neighbours, here, {}, {}, &Weights::Neighbour::worker) &&
        std::ranges::equal(kept.weights, here, {}, {}, &Weights::Neighbour::weight) &&
        kept.told.size() == told_.size() && kept.copies.size() == told_.size() * known &&
        kept.ends.size() == kept.copies.size() + told_.size())
      return;
    std::string text = fmt::format("a save of worker {} with other neighbours or weights: there", own_[place]);
    for (size_t i = 0; i < kept.neighbours.size(); ++i)
      text += fmt::format(" {} ({})", kept.neighbours[i], i < kept.weights.size() ? kept.weights[i] : 0);
    text += ", here";
    for (const Weights::Neighbour& neighbour : here)
      text += fmt::format(" {} ({})", neighbour.worker, neighbour.weight);
    throw Error(text + "; expected the graph of the save");
  }

  /// Of all rounds of a cycle, one behind another.
  std::vector<Weights::Neighbour> HeardBy(uint32_t worker) const {
    std::vector<Weights::Neighbour> heard;
    for (const Weights& weights : mixing_.rounds)
      heard.insert(heard.end(), weights.neighbours[worker].begin(), weights.neighbours[worker].end());
    return heard;
  }

  std::vector<std::map<uint32_t, LinkEnd<T>>> senders_;  // by vector, then worker
  std::vector<std::map<uint32_t, Known>> known_;
};

std::vector<uint32_t> All(const Mixing& mixing) {
  std::vector<uint32_t> all(mixing.workers());
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

template <typename T>
class Here final : public Links<T> {
 public:
  Here(const Mixing& mixing, const ExchangeParts& parts, const std::vector<Parameter>& parameters, size_t vectors)
      : Links<T>(mixing, parts, parameters, vectors, All(mixing), All(mixing), /*token=*/0) {}

  void Tell(GossipVector vector, std::span<const std::span<const T>> values) override {
    for (const uint32_t worker : this->own_) this->Take(vector, worker, this->Pack(vector, worker, values[worker]));
    ++this->told_[vector];
  }
  void Sum(std::span<double>) const override {}
};

/// For people, and the same only where the graphs are.
std::string TextOf(const Mixing& mixing, const ExchangeParts& parts, const std::vector<Parameter>& parameters) {
  std::string text = fmt::format("link: {}\ncompressor: {}\nelements: {}\nseed: {}\n", parts.link.name,
                                 parts.compressor->spec(), Numel(parameters), parts.seed);
  for (const Weights& weights : mixing.rounds)
    for (size_t i = 0; i < mixing.workers(); ++i) {
      text += fmt::format("neighbours of worker {}:", i);
      for (const Weights::Neighbour& neighbour : weights.neighbours[i])
        text += fmt::format(" {} ({})", neighbour.worker, neighbour.weight);
      text += '\n';
    }
  return text;
}

template <typename T>
class OverCollective final : public Links<T> {
 public:
  OverCollective(const Mixing& mixing, const ExchangeParts& parts, const std::vector<Parameter>& parameters,
                 size_t vectors, Collective& collective)
      : Links<T>(mixing, parts, parameters, vectors, {static_cast<uint32_t>(collective.rank())},
                 Around(mixing, static_cast<uint32_t>(collective.rank())),
                 Agree(collective, TextOf(mixing, parts, parameters))),
        collective_(collective) {}

  /// Messages vary in size, so that their lengths travel before them.
  void Tell(GossipVector vector, std::span<const std::span<const T>> values) override {
    const uint32_t rank = this->own_[0];
    const Weights& weights = this->WeightsOf(this->told_[vector]);
    const auto& heard = weights.neighbours[rank];
    auto memory = std::make_unique<Letters>();
    Letters& letters = *memory;
    letters.own = this->Pack(vector, rank, values[0]);
    letters.length = letters.own.size();
    letters.lengths.resize(heard.size());
    Guarded(memory, [&] {
      Swap(weights, std::as_bytes(std::span(&letters.length, 1)),
           [&](size_t k) { return std::as_writable_bytes(std::span(&letters.lengths[k], 1)); });
      for (size_t k = 0; k < heard.size(); ++k)
        letters.others.emplace_back(CheckedLength(vector, letters.lengths[k], heard[k].worker));
      Swap(weights, letters.own, [&](size_t k) { return std::span(letters.others[k]); });
    });
    this->Take(vector, rank, letters.own);
    for (size_t k = 0; k < heard.size(); ++k) this->Take(vector, heard[k].worker, letters.others[k]);
    ++this->told_[vector];
  }

  void Sum(std::span<double> values) const override {
    auto memory = std::make_unique<std::vector<double>>(values.begin(), values.end());
    Guarded(memory, [&] { collective_.Finish(collective_.StartAllReduce(std::span<double>(*memory))); });
    std::ranges::copy(*memory, values.begin());
  }

 private:
  /// What is on its way.
  struct Letters {
    std::vector<std::byte> own;
    uint64_t length = 0;
    std::vector<uint64_t> lengths;               // of the others', by whom it hears
    std::vector<std::vector<std::byte>> others;  // the same
  };

  /// Where `exchange` throws, the transport may still write into the memory: nobody frees it then.
  template <typename Memory, typename Exchange>
  static void Guarded(std::unique_ptr<Memory>& memory, const Exchange& exchange) {
    try {
      exchange();
    } catch (...) {
      static_cast<void>(memory.release());
      throw;
    }
  }

  size_t CheckedLength(GossipVector vector, uint64_t length, uint32_t worker) {
    if (const size_t most = this->MostBytes(vector, worker); length > most)
      throw PeerError(
          static_cast<int>(worker),
          fmt::format("rank {} announced a message of {} bytes, expected at most {}", worker, length, most));
    return length;
  }

  /// One message to all who listen, and of each who is heard one into room(its place).
  template <typename Room>
  void Swap(const Weights& weights, std::span<const std::byte> message, const Room& room) {
    const Timer timer(this->wire_s_);
    std::vector<Outgoing> outgoing;
    std::vector<Incoming> incoming;
    for (const uint32_t listener : weights.listeners[this->own_[0]])
      outgoing.push_back({static_cast<int>(listener), message});
    const auto& heard = weights.neighbours[this->own_[0]];
    for (size_t k = 0; k < heard.size(); ++k) incoming.push_back({static_cast<int>(heard[k].worker), room(k)});
    collective_.Finish(collective_.Start(outgoing, incoming));
  }

  Collective& collective_;
};

}  // namespace

std::vector<Parameter> ToldOf(std::vector<Parameter> parameters, const GossipMethod& method) {
  if (method.pushes) parameters.push_back({"push-sum weight", {1}});
  return parameters;
}

template <typename T>
std::unique_ptr<Neighbours<T>> MakeNeighbours(const Mixing& mixing, const ExchangeParts& parts,
                                              const std::vector<Parameter>& parameters, size_t vectors) {
  return std::make_unique<Here<T>>(mixing, parts, parameters, vectors);
}

template <typename T>
std::unique_ptr<Neighbours<T>> MakeNeighbours(const Mixing& mixing, const ExchangeParts& parts,
                                              const std::vector<Parameter>& parameters, size_t vectors,
                                              Collective& collective) {
  return std::make_unique<OverCollective<T>>(mixing, parts, parameters, vectors, collective);
}

template std::unique_ptr<Neighbours<double>> MakeNeighbours(const Mixing&, const ExchangeParts&,
                                                            const std::vector<Parameter>&, size_t);
template std::unique_ptr<Neighbours<double>> MakeNeighbours(const Mixing&, const ExchangeParts&,
                                                            const std::vector<Parameter>&, size_t, Collective&);
template std::unique_ptr<Neighbours<float>> MakeNeighbours(const Mixing&, const ExchangeParts&,
                                                           const std::vector<Parameter>&, size_t);
template std::unique_ptr<Neighbours<float>> MakeNeighbours(const Mixing&, const ExchangeParts&,
                                                           const std::vector<Parameter>&, size_t, Collective&);

}  // namespace gradwire
