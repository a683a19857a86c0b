// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "gossip/gossip_method.h"
#include "gossip/mixing.h"
#include "gradwire/collective.h"
#include "gradwire/exchange_parts.h"
#include "message/link_end.h"

namespace gradwire {

/// The places of a worker's vectors.
enum GossipVector : size_t { kGossipModel = 0, kGossipDirection = 1, kGossipVectors = 2 };

/// What all workers know of each other: of each worker, and of each of its vectors, a copy that its messages move, the
/// same at itself and at all who hear it. A worker encodes a vector once, whoever gets it. Message k of a vector goes
/// along the graph of round k; where rounds have graphs of their own, links have no memory. Not thread-safe.
template <typename T>
class Neighbours {
 public:
  using Memory = typename LinkEnd<T>::Memory;

  virtual ~Neighbours() = default;

  /// The workers of this process, one or all, by number.
  virtual const std::vector<uint32_t>& own() const = 0;
  bool has_all() const { return own().size() == workers(); }
  virtual size_t workers() const = 0;  ///< of all processes

  /// The next message about a vector of each own worker (all parameters, one behind another), to those who hear it, and
  /// from whom it hears. Throws PeerError.
  virtual void Tell(GossipVector vector, std::span<const std::span<const T>> values) = 0;
  /// out = gamma (sum_j w_ij h_j - h_i) of the worker at that place among the own ones, with the weights of the round
  /// in which the vector was told last; 0 before the first message.
  virtual void Mix(GossipVector vector, size_t place, double gamma, std::span<T> out) const = 0;
  /// What the worker at that place has handed to the transport: a copy to each neighbour; in paper_bits each message
  /// once.
  virtual ExchangeStats stats(size_t place) const = 0;
  /// Each number, that the own workers add up to, becomes the sum over all workers. All call it alike.
  virtual void Sum(std::span<double> values) const = 0;

  /// What the worker at that place keeps of itself and its neighbours, for a save.
  struct Kept {
    std::vector<Memory> ends;            ///< senders by vector, then receivers by neighbour and vector
    std::vector<std::vector<T>> copies;  ///< of the receivers, in their order
    std::vector<uint64_t> told;          ///< messages, by vector
    std::vector<uint32_t> neighbours;    ///< whom it hears, of all rounds of a cycle
    std::vector<double> weights;         ///< theirs

    template <typename Archive>
    void serialize(Archive& archive) {
      archive(ends, copies, told, neighbours, weights);
    }
  };
  virtual Kept Save(size_t place) const = 0;
  /// Throws Error where it is of other neighbours, weights or vectors.
  virtual void Load(size_t place, const Kept& kept) = 0;
};

/// What a worker's messages are about: its parameters, and where the method pushes its weight.
std::vector<Parameter> ToldOf(std::vector<Parameter> parameters, const GossipMethod& method);

/// All workers in this process: a copy is kept once, and decoded once. `vectors`: how many of a worker's are told of.
/// `mixing` outlives it.
template <typename T>
std::unique_ptr<Neighbours<T>> MakeNeighbours(const Mixing& mixing, const ExchangeParts& parts,
                                              const std::vector<Parameter>& parameters, size_t vectors);
/// This rank's worker, over a collective of all, which outlives it as well.
template <typename T>
std::unique_ptr<Neighbours<T>> MakeNeighbours(const Mixing& mixing, const ExchangeParts& parts,
                                              const std::vector<Parameter>& parameters, size_t vectors,
                                              Collective& collective);

}  // namespace gradwire
