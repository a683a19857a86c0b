// SPDX-License-Identifier: Apache-2.0
#include "gradwire/link.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "compress/stream.h"
#include "compress/transform.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

/// Encodes scale * v + the link's share of its memory, and keeps what is left of both.
template <typename T>
EncodeResult EncodeWithMemory(const Link& link, const Compressor& compressor, const Site& site, Lane& lane,
                              std::span<T> e, std::span<const T> v, T scale, std::span<std::byte> out) {
  const T kappa = static_cast<T>(link.kappa.At(compressor, site.piece)),
          lambda = static_cast<T>(link.lambda.At(compressor, site.piece));
  if (kappa == lambda) {
    if (kappa != 1) kernels::Scale(kappa, e);
    return compressor.Encode(site, lane, v, scale, e, e, out);
  }
  const Scratch::Scope scope(lane.scratch);
  const std::span<T> left = lane.scratch.Take<T>(e.size());
  std::copy(e.begin(), e.end(), left.begin());
  kernels::Scale(kappa, left);
  const EncodeResult result = compressor.Encode(site, lane, v, scale, left, left, out);
  kernels::Scale(lambda - kappa, e);
  kernels::Add<T>(left, e);
  return result;
}

/// Independent N(0, deviation^2) on each number of a payload that is the elements themselves (Box-Muller).
template <typename T>
void AddNoise(double deviation, Site site, std::span<std::byte> payload) {
  site.purpose = Purpose::kNoise;
  Philox random = StreamOf(site);
  for (size_t i = 0; i < site.piece.numel; ++i) {
    const double radius = std::sqrt(-2 * std::log1p(-random.Uniform())),
                 angle = 2 * std::numbers::pi * random.Uniform();
    T value;
    std::memcpy(&value, payload.data() + i * sizeof(T), sizeof(T));
    value += static_cast<T>(deviation * radius * std::cos(angle));
    std::memcpy(payload.data() + i * sizeof(T), &value, sizeof(T));
  }
}

/// How many elements of the piece may be sent, 0 where its gate is closed; a gate that looks at changes remembers v.
template <typename T>
size_t MostToSend(const Link& link, const Site& site, const LinkMemory<T>& memory, std::span<const T> v) {
  if (link.gate == Gate::kOpen) return v.size();
  if (link.gate == Gate::kCoin) return CoinOpens(link, site) ? v.size() : 0;
  const double wrong = kernels::SquaredDistance<T>(v, memory.h);
  double most = static_cast<double>(v.size());
  if (link.gate == Gate::kLazy) {
    if (!(wrong > link.gate_level * kernels::SquaredDistance<T>(v, memory.y))) most = 0;
  } else {
    const double wanted = std::ceil(most * (kernels::SquaredDistance<T>(memory.y, memory.h) / wrong));
    if (wrong == 0) most = 0;
    if (wanted < most) most = wanted;
  }
  std::ranges::copy(v, memory.y.begin());
  return static_cast<size_t>(most);
}

/// v of the round before, which this one takes the place of.
template <typename T>
std::span<const T> TakePrevious(Lane& lane, const LinkMemory<T>& memory, std::span<const T> v) {
  const std::span<T> previous = lane.scratch.Take<T>(v.size());
  std::ranges::copy(memory.y, previous.begin());
  std::ranges::copy(v, memory.y.begin());
  return previous;
}

}  // namespace

double Coefficient::At(const Compressor& compressor, const Piece& piece) const {
  switch (rule) {
    case Rule::kNumber: return number;
    case Rule::kDelta: return compressor.delta(piece).value();
    case Rule::kDamping: return 1 / (1 + compressor.omega(piece).value());
    case Rule::kHalfDamping: return 1 / (2 * (1 + compressor.omega(piece).value()));
    case Rule::kImageDamping: return 1 / (1 + OmegaOfImage(compressor, piece).value());
    case Rule::kDoreEta: {  // Liu et al. 2020, theorem 1, first bound, with (omega + 1) beta = 1/2; at most 1
      const double omega = compressor.omega(piece).value();
      return std::min(1.0, (std::sqrt(omega * omega + 2) - omega) / std::max(2 * omega, 1e-300));
    }
  }
  throw Error("Coefficient: no such rule");
}

std::string Coefficient::text() const {
  switch (rule) {
    case Rule::kNumber: return fmt::format("{}", number);
    case Rule::kDelta: return "delta";
    case Rule::kDamping: return "1/(1+omega)";
    case Rule::kHalfDamping: return "1/(2(1+omega))";
    case Rule::kImageDamping: return "1/(1+omega of the image)";
    case Rule::kDoreEta: return "(sqrt(omega^2+2)-omega)/(2 omega)";
  }
  throw Error("Coefficient: no such rule");
}

const std::vector<LinkVector>& LinkVectors() {
  static const std::vector<LinkVector> vectors = {{"e", Holder::kSender},        {"h", Holder::kSender},
                                                  {"y", Holder::kSender},        {"momentum", Holder::kSender},
                                                  {"mean h", Holder::kReceiver}, {kQuery, Holder::kReceiver},
                                                  {kCentre, Holder::kReceiver}};
  return vectors;
}

const LinkVector& FindLinkVector(std::string_view name) {
  for (const LinkVector& vector : LinkVectors())
    if (vector.name == name) return vector;
  throw Error(fmt::format("memory '{}' is of no link there is: it was saved by another version", name));
}

template <typename T>
LinkHandles<T>::LinkHandles(StateStore<T>& store, const std::vector<LinkVector>& kept)
    : LinkHandles(store, kept, store, kept) {}

template <typename T>
LinkHandles<T>::LinkHandles(StateStore<T>& store, const std::vector<LinkVector>& kept, StateStore<T>& receivers,
                            const std::vector<LinkVector>& kept_there)
    : store_(store), receivers_(receivers) {
  const auto handle = [](StateStore<T>& in, const std::vector<LinkVector>& there,
                         std::string_view name) -> std::optional<Handle> {
    for (const LinkVector& vector : there)
      if (vector.name == name) return in.HandleOf(name);
    return std::nullopt;
  };
  e_ = handle(store, kept, "e"), h_ = handle(store, kept, "h"), y_ = handle(store, kept, "y");
  momentum_ = handle(store, kept, "momentum");
  mean_h_ = handle(receivers, kept_there, "mean h"), query_ = handle(receivers, kept_there, kQuery);
  centre_ = handle(receivers, kept_there, kCentre);
}

template <typename T>
LinkMemory<T> LinkHandles<T>::Of(uint32_t parameter, const Piece& piece) const {
  const auto span = [&](StateStore<T>& store, const std::optional<Handle>& handle) {
    return handle ? store.Vector(parameter, *handle).subspan(piece.begin, piece.numel) : std::span<T>{};
  };
  return {span(store_, e_),
          span(store_, h_),
          span(store_, y_),
          span(receivers_, mean_h_),
          span(store_, momentum_),
          query_ ? receivers_.Vector(parameter, *query_) : std::span<T>{},
          OfDense(parameter, piece).centre};
}

template <typename T>
LinkMemory<T> LinkHandles<T>::OfDense(uint32_t parameter, const Piece& piece) const {
  LinkMemory<T> memory;
  if (centre_) memory.centre = receivers_.Vector(parameter, *centre_).subspan(piece.begin, piece.numel);
  return memory;
}

std::vector<LinkVector> Link::memory() const {
  std::vector<LinkVector> vectors;
  if (remembers()) vectors.push_back(FindLinkVector("e"));
  if (holds_h()) vectors.push_back(FindLinkVector("h"));
  if (holds_y()) vectors.push_back(FindLinkVector("y"));
  if (has_momentum()) vectors.push_back(FindLinkVector("momentum"));
  if (shifts()) vectors.push_back(FindLinkVector("mean h"));
  if (iterates) vectors.push_back(FindLinkVector(kQuery));
  return vectors;
}

std::string Link::numbers() const {
  return fmt::format("alpha {}, beta {}, kappa {}, lambda {}{}{}{}{}{}{}", alpha.text(), beta.text(), kappa.text(),
                     lambda.text(), refresh ? ", p " + refresh->text() : "", opens_dense ? ", opens dense" : "",
                     gate == Gate::kOpen ? "" : fmt::format(", gate {}", gate_level),
                     has_momentum() ? fmt::format(", ema {}", ema) : "",
                     noise > 0 ? fmt::format(", noise {}", noise) : "", iterates ? ", iterates" : "");
}

std::optional<std::string> Misfit(const Link& link, const Compressor& compressor, const Piece& piece) {
  if (link.iterates) {
    if (compressor.low_rank() > 0) return std::nullopt;
    return fmt::format("link {} sums factors of matrices on the way, and {} has no rank; take rank:4, or method ef",
                       link.name, compressor.spec());
  }
  if (link.for_unbiased) {
    if (compressor.omega(piece)) return std::nullopt;
    return fmt::format(
        "link {} needs an unbiased operator, and {} is biased. Take randk:1%, qsgd:7 or "
        "induced({},randk:1%), or method ef21, which is for biased ones",
        link.name, compressor.spec(), compressor.spec());
  }
  if (link.gate == Gate::kAdaptive && !compressor.keeps_fewer())
    return fmt::format("link {} decides how many elements go, and {} sends as many as it says. Take topk:1%:counted",
                       link.name, compressor.spec());
  const bool contracts = compressor.contracts(piece);
  if (link.kappa.rule == Coefficient::Rule::kDelta && contracts && !compressor.delta(piece))
    return fmt::format("link {} takes delta as its share of memory, and {} has none; set comm.eta, or take method ef21",
                       link.name, compressor.spec());
  if (link.remembers() && !contracts)
    return fmt::format(
        "error feedback around {}, which does not contract, diverges: its memory grows without bound. "
        "Take a contractive operator (sign, topk:1%{}), or a method without memory (dcgd)",
        compressor.spec(), compressor.unbiased() ? ", unscale(" + compressor.spec() + ")" : "");
  if (link.takes_shift && !contracts)
    return fmt::format("link {} needs an operator that contracts, and {} does not. Take sign or topk:1%{}", link.name,
                       compressor.spec(),
                       compressor.unbiased() ? ", unscale(" + compressor.spec() + "), or method diana" : "");
  return std::nullopt;
}

bool CoinOpens(const Link& link, Site site) {
  site.purpose = Purpose::kCoin;
  return StreamOf(site).Uniform() < link.gate_level;
}

template <typename T>
bool NeedsFinite(const Link& link, double step_size) {
  return link.has_momentum() || link.shifts() || link.holds_h() || link.gate != Gate::kOpen ||
         (link.step_inside && IsNoStep<T>(step_size));
}

template <typename T>
EncodeResult Send(const Link& link, const Compressor& compressor, const Site& site, Lane& lane,
                  const LinkMemory<T>& memory, double step_size, std::span<const T> v, std::span<std::byte> out) {
  if (link.step_inside && IsNoStep<T>(step_size))
    return compressor.Encode(site, lane, std::span<const T>{}, T{1}, std::span<const T>{}, std::span<T>{}, out);
  const Scratch::Scope scope(lane.scratch);
  Site of_most = site;
  of_most.most = MostToSend<T>(link, site, memory, v);
  if (of_most.most == 0 && link.gate != Gate::kOpen) return {};
  if (link.sends_previous) v = TakePrevious<T>(lane, memory, v);
  const T scale = link.step_inside ? static_cast<T>(step_size) : T{1};
  std::span<const T> difference = v;
  if (link.shifts()) {
    const std::span<T> reference = link.reference == Reference::kShift ? memory.h : memory.y;
    const std::span<T> to = lane.scratch.Take<T>(v.size());
    kernels::Subtract<T>(v, reference, to);
    if (link.reference == Reference::kPrevious) std::copy(v.begin(), v.end(), reference.begin());
    difference = to;
  }
  const EncodeResult result =
      link.remembers() ? EncodeWithMemory<T>(link, compressor, of_most, lane, memory.e, difference, scale, out)
                       : compressor.Encode(of_most, lane, difference, scale, std::span<const T>{}, std::span<T>{}, out);
  if (link.holds_h()) {  // by what the receiver will decode, so that both ends hold the same bits
    const T alpha = static_cast<T>(link.alpha.At(compressor, site.piece));
    const Payload own{out.first(result.bytes), site.worker};
    compressor.Decode(site, lane, {&own, 1}, std::span<const T>(&alpha, 1), Into::kAdd, memory.h);
  }
  if (link.noise > 0) AddNoise<T>(link.noise, site, out);
  return result;
}

template <typename T>
EncodeResult SendDense(const Link& link, const Site& site, Lane& lane, const LinkMemory<T>& memory,
                       std::span<const T> v, std::span<std::byte> out) {
  static const std::shared_ptr<const Compressor> identity = ParseCompressor("identity");
  const EncodeResult result = identity->Encode(site, lane, v, T{1}, {}, {}, out);
  if (link.holds_h()) std::ranges::copy(v, memory.h.begin());
  if (link.holds_y()) std::ranges::copy(v, memory.y.begin());
  return result;
}

template <typename T>
bool IsNoStep(double step_size) {
  if (!(step_size >= 0) || std::isinf(step_size))
    throw Error(fmt::format("step size (learning rate): found {}, expected a finite number, 0 or more", step_size));
  return step_size * static_cast<double>(std::numeric_limits<T>::max()) < 1;
}

template <typename T>
size_t SendZeros(const Link& link, const Compressor& compressor, const Site& site, Lane& lane,
                 std::span<std::byte> out) {
  const size_t bytes =
      compressor.Encode(site, lane, std::span<const T>{}, T{1}, std::span<const T>{}, std::span<T>{}, out).bytes;
  if (link.noise > 0) AddNoise<T>(link.noise, site, out);
  return bytes;
}

template <typename T>
double ReceiveWeight(const Link& link, double step_size, int senders) {
  if (!link.step_inside) return 1.0 / senders;
  return IsNoStep<T>(step_size) ? 0 : 1.0 / (senders * step_size);
}

template <typename T>
void ReceiveMean(const Link& link, const Compressor& compressor, const Site& site, const LinkMemory<T>& memory,
                 std::span<T> mean) {
  const T alpha = static_cast<T>(link.alpha.At(compressor, site.piece)),
          beta = static_cast<T>(link.beta.At(compressor, site.piece));
  if (!link.shifts()) {
    if (beta != 1) kernels::Scale(beta, mean);
    return;
  }
  kernels::MoveShift(alpha, beta, link.takes_shift, memory.mean_h, mean);
}

template <typename T>
void ReceiveDense(const Link& link, const LinkMemory<T>& memory, std::span<const T> mean) {
  if (link.shifts()) std::ranges::copy(mean, memory.mean_h.begin());
}

#define GRADWIRE_INSTANTIATE(T)                                                                                \
  template class LinkHandles<T>;                                                                               \
  template bool NeedsFinite<T>(const Link&, double);                                                           \
  template EncodeResult Send(const Link&, const Compressor&, const Site&, Lane&, const LinkMemory<T>&, double, \
                             std::span<const T>, std::span<std::byte>);                                        \
  template EncodeResult SendDense(const Link&, const Site&, Lane&, const LinkMemory<T>&, std::span<const T>,   \
                                  std::span<std::byte>);                                                       \
  template size_t SendZeros<T>(const Link&, const Compressor&, const Site&, Lane&, std::span<std::byte>);      \
  template bool IsNoStep<T>(double);                                                                           \
  template double ReceiveWeight<T>(const Link&, double, int);                                                  \
  template void ReceiveMean(const Link&, const Compressor&, const Site&, const LinkMemory<T>&, std::span<T>);  \
  template void ReceiveDense(const Link&, const LinkMemory<T>&, std::span<const T>);
GRADWIRE_INSTANTIATE(float)
GRADWIRE_INSTANTIATE(double)
#undef GRADWIRE_INSTANTIATE

}  // namespace gradwire
