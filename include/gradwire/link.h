// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gradwire/compressor.h"
#include "gradwire/state_store.h"

namespace gradwire {

/// A coefficient of a link: a number, or what the operator's constants give for a piece.
struct Coefficient {
  enum class Rule {
    kNumber,
    kDelta,         ///< delta
    kDamping,       ///< 1 / (1 + omega)
    kHalfDamping,   ///< 1 / (2 (1 + omega))
    kDoreEta,       ///< the share of memory that DORE's theory allows beside beta = 1 / (2 (1 + omega))
    kImageDamping,  ///< 1 / (1 + omega) with omega of C alone, of an operator T^-1 C T
  };
  Coefficient(double number = 0) : number(number) {}  // NOLINT(google-explicit-constructor)
  Coefficient(Rule rule) : rule(rule), number(0) {}   // NOLINT(google-explicit-constructor)

  double At(const Compressor& compressor, const Piece& piece) const;
  bool operator==(const Coefficient&) const = default;
  std::string text() const;  ///< "0.5", "delta", "1/(1+omega)"

  Rule rule = Rule::kNumber;
  double number;
};

/// What the message is a difference to.
enum class Reference {
  kZero,      ///< v itself
  kShift,     ///< the shift h, a vector that both ends move by what was sent
  kPrevious,  ///< the sender's v of the round before (MARINA)
};

/// Whether a piece is sent at all this round. Where it is not, its payload is empty, and both ends keep their shifts.
enum class Gate {
  kOpen,
  kLazy,  ///< where ||v - h||^2 > zeta ||v - y||^2, y being the v of the round before (LAG)
  kCoin,  ///< with probability p, each worker and piece by itself (CBAG)
  /// Where h is wrong, and no more than ceil(d ||y - h||^2 / ||v - h||^2) of the d elements, of operators that keep
  /// fewer (adaptive Top-K).
  kAdaptive,
};

/// Who holds a vector of a link's memory, which says what becomes of it in a job of another size: what receivers hold
/// is the same on all of them; senders differ, and their mean is what the messages to come depend on.
enum class Holder { kSender, kReceiver };

/// A vector that links keep, by its name in a StateStore.
struct LinkVector {
  std::string_view name;
  Holder holder;
};

/// Every vector that some link keeps.
const std::vector<LinkVector>& LinkVectors();
/// Throws Error for a name that no link knows.
const LinkVector& FindLinkVector(std::string_view name);

/// The vectors of one piece, those that there are: what links read and move.
template <typename T>
struct LinkMemory {
  std::span<T> e, h, y, mean_h, momentum;
  std::span<T> query = {};   ///< rank x columns, rows of a matrix for each rank
  std::span<T> centre = {};  ///< of the aggregate
};

/// Where a store has the vectors of its links, so that no name is looked up when messages are made.
template <typename T>
class LinkHandles {
 public:
  LinkHandles(StateStore<T>& store, const std::vector<LinkVector>& kept);
  /// What receivers hold is in a store of its own: `kept_there` of it.
  LinkHandles(StateStore<T>& store, const std::vector<LinkVector>& kept, StateStore<T>& receivers,
              const std::vector<LinkVector>& kept_there);
  /// The vectors of a piece. Not for several threads: the store may have to copy what was there before
  /// (StateStore::Mark).
  LinkMemory<T> Of(uint32_t parameter, const Piece& piece) const;
  /// What there is of a piece that travels dense: the centre of the aggregate, or nothing.
  LinkMemory<T> OfDense(uint32_t parameter, const Piece& piece) const;

 private:
  using Handle = typename StateStore<T>::Handle;

  StateStore<T>&store_, &receivers_;
  std::optional<Handle> e_, h_, y_, mean_h_, momentum_, query_, centre_;
};

/// A link is what a sender does so that a receiver knows v, with memory on both ends. Where ema < 1, v is the momentum
/// of what it is given, v <- (1 - ema) v + ema g. With s = the step size where it is inside, else 1, and r = 0, h or
/// the previous v:
///     u = s (v - r) + kappa e;   m = C(u) -> wire;   e <- (lambda - kappa) e + (u - m);   h <- h + alpha m / s
/// and the receiver, who keeps the mean of its senders' shifts, takes h + beta m / s with the old h, or the new h.
/// A link is a row of numbers, not a class. The vectors live in StateStores: "e", "h", "y" (previous v) and "momentum"
/// at the sender, "mean h" at the receiver.
/// The link of PowerSGD has another message (message/power_step.h), and keeps the "query" at the receiver.
struct Link {
  std::string_view name;
  Reference reference = Reference::kZero;
  Coefficient alpha = 0;      ///< share of the message that moves the shift
  Coefficient beta = 1;       ///< share of the message that the receiver takes
  Coefficient kappa = 0;      ///< share of the memory that joins the message
  Coefficient lambda = 0;     ///< share of the memory that is kept in all
  bool takes_shift = false;   ///< the receiver takes the new shift
  bool step_inside = false;   ///< v enters times the step size, and the memory is in its units
  bool for_unbiased = false;  ///< operators need a known omega; else, with memory or a shift, they must contract
  bool opens_dense = false;   ///< the first message is v itself, uncompressed, and the shift starts there
  Gate gate = Gate::kOpen;
  double gate_level = 0;        ///< zeta or p
  bool moves_h = false;         ///< comes first and moves the sender's h, whatever the reference is (3PCv1, 3PCv2)
  bool sends_previous = false;  ///< v of the round before in place of v (the first message of 3PCv1)
  double ema = 1;         ///< share of what is given in the momentum that is sent, above 0; 1: what is given itself
  bool iterates = false;  ///< messages are factors of matrices, summed on the way, each step going on from the last
  double noise = 0;       ///< standard deviation of Gaussian noise that is added on the wire alone: h stays clean
  std::optional<Coefficient> refresh = std::nullopt;  ///< probability of a dense round, one coin for all ranks
  std::string_view summary = {};
  std::string_view source = {};

  bool remembers() const { return kappa.rule != Coefficient::Rule::kNumber || kappa.number != 0 || lambda.number != 0; }
  bool shifts() const { return reference != Reference::kZero; }
  bool has_momentum() const { return ema != 1; }
  bool holds_h() const { return reference == Reference::kShift || moves_h; }
  /// Whether the sender remembers v of the round before.
  bool holds_y() const {
    return reference == Reference::kPrevious || gate == Gate::kLazy || gate == Gate::kAdaptive || sends_previous;
  }
  /// The vectors that it keeps in a StateStore.
  std::vector<LinkVector> memory() const;
  /// Its numbers, for people and for the settings check.
  std::string numbers() const;
};

/// Links of the way to the owner of a piece, or to all ranks.
const std::vector<Link>& Links();
/// Links of the way back.
const std::vector<Link>& DownLinks();
const Link& FindLink(std::string_view name);
const Link& FindDownLink(std::string_view name);

/// Why this operator cannot ride this link, with a choice that works; empty where they fit.
std::optional<std::string> Misfit(const Link& link, const Compressor& compressor, const Piece& piece);

/// Whether a gate that a coin opens is open at a site: what Send will find, for whoever has work to spare where it is
/// not.
bool CoinOpens(const Link& link, Site site);

/// Whether v goes into memory before, or without, the operator's look at it: Send's caller must see that it is finite.
template <typename T>
bool NeedsFinite(const Link& link, double step_size);

/// Whether a piece with this gradient was not used, so that zeros are sent and its memory stays: a gradient of zeros,
/// where `zeros_keep_memory` (ExchangeParts) and there is memory to keep.
template <typename T>
bool IsUnused(const Link& link, bool zeros_keep_memory, std::span<const T> g);

/// What the link sends of g: g itself, or its momentum, which moves. g is finite then.
template <typename T>
std::span<const T> MoveMomentum(const Link& link, const LinkMemory<T>& memory, std::span<const T> g);

/// ||u||^2 of what Send would encode of g, finite elements: its momentum, difference and share of the memory, none of
/// which moves. 0 where the step size inside is no step.
template <typename T>
double SquaredNormToSend(const Link& link, const Compressor& compressor, const Piece& piece, Lane& lane,
                         const LinkMemory<T>& memory, double step_size, std::span<const T> g);

/// Encodes v (site.piece.numel elements, finite ones where NeedsFinite) into `out` and updates the sender's memory.
/// Returns what Compressor::Encode does. `v` is left as it is. `step_size` matters where it is inside, and is then
/// finite and 0 or more, else Error: at 0 the receiver can be given nothing, so zeros are sent and e keeps what it
/// holds. T is float or double.
template <typename T>
EncodeResult Send(const Link& link, const Compressor& compressor, const Site& site, Lane& lane,
                  const LinkMemory<T>& memory, double step_size, std::span<const T> v, std::span<std::byte> out);

/// The same for a dense round: `out` gets v itself (identity's payload), and shift and previous v become v, which is
/// finite where the link has either.
template <typename T>
EncodeResult SendDense(const Link& link, const Site& site, Lane& lane, const LinkMemory<T>& memory,
                       std::span<const T> v, std::span<std::byte> out);

/// The same for a piece of which nothing is sent: zeros, under the link's noise. The memory stays as it is.
template <typename T>
size_t SendZeros(const Link& link, const Compressor& compressor, const Site& site, Lane& lane,
                 std::span<std::byte> out);

/// Whether a step of this size is none: T cannot hold 1 / s, by which receivers multiply. Throws Error where it is not
/// finite, or below 0.
template <typename T>
bool IsNoStep(double step_size);

/// The weight of each sender's payload for ReceiveMean: 1 / (senders s), and 0 where s is no step.
template <typename T>
double ReceiveWeight(const Link& link, double step_size, int senders);

/// `mean`, the weighted sum of the senders' payloads, becomes what the receiver takes; its shift moves.
template <typename T>
void ReceiveMean(const Link& link, const Compressor& compressor, const Site& site, const LinkMemory<T>& memory,
                 std::span<T> mean);

/// The same for a dense round, where `mean` is what the receiver takes already.
template <typename T>
void ReceiveDense(const Link& link, const LinkMemory<T>& memory, std::span<const T> mean);

}  // namespace gradwire
