// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/symmetric.h"
#include "newton/basis.h"
#include "newton/stored_form.h"

namespace gradwire {
namespace {

/// The sum S of the basis: (d - 1) I + 1 1^T.
void AddSum(double factor, std::span<double> packed, size_t d) {
  for (size_t j = 0, at = 0; j < d; ++j) {
    packed[at++] += factor * static_cast<double>(d);
    for (size_t l = j + 1; l < d; ++l) packed[at++] += factor * std::numbers::sqrt2;
  }
}
std::vector<double> TimesSum(std::span<const double> w) {
  double sum = 0;
  for (const double v : w) sum += v;
  std::vector<double> product(w.begin(), w.end());
  for (double& v : product) v = static_cast<double>(w.size() - 1) * v + sum;
  return product;
}

class PositiveForm final : public StoredForm {
 public:
  PositiveForm(Peers& peers, const Problem& problem, const NewtonParts& parts)
      : peers_(peers), d_(problem.dimension()), nothing_(d_), own_(peers.size()) {
    for (size_t i = 0; i < own_.size(); ++i) {
      own_[i].ratios.resize(peers.ranks());
      own_[i].rank = peers.first() + i;
      own_[i].coefficients.resize(PackedNumel(d_)), own_[i].of_hessian.resize(PackedNumel(d_));
      own_[i].scaled.resize(d_ + 1);
      own_[i].formed = nothing_;
    }
    const auto d = static_cast<int64_t>(d_), n = static_cast<int64_t>(peers.ranks());
    // Each of beta_i has a place of its own, since a maximum is no mean; of the vector that is one number.
    ExchangeParts ratios = KeptParts(parts.seed, parts.count_as);
    ratios.compressor = ParseCompressor("topk:1");
    peers.Open(kErrors, {.name = "beta", .shape = {n}}, ratios);
    // A server that keeps every H_i and w_i makes these by itself, so that no paper counts them.
    peers.Open(kFormed, {.name = "formed", .shape = {d}}, KeptParts(parts.seed, nullptr));
    peers.Open(kScaled, {.name = "scaled", .shape = {d + 1}}, KeptParts(parts.seed, nullptr));
  }

  void Measure(size_t i, NewtonWorker& worker, const Known& known) override {
    Own& own = own_[i];
    basis_.Forward(0, known.held, own.coefficients), basis_.Forward(0, known.hessian, own.of_hessian);
    double largest = 1;
    ForEach(own, [&](double l, double) { largest = std::max(largest, std::abs(l)); });
    double ratio = 0;
    ForEach(own, [&](double l, double h) { ratio = std::max(ratio, (h + 2 * largest) / (l + 2 * largest)); });
    own.ratios[own.rank] = ratio;
    for (size_t j = 0; j < d_; ++j) own.scaled[j] = largest * known.w[j];
    own.scaled[d_] = largest;
    worker.number()[0] = 0;
    worker.Form(known.held, known.w);
    own.formed = worker.formed();
  }

  void Send(uint64_t step, std::span<const uint8_t> rests) override {
    const auto mean = [&](NewtonChannel channel, auto vector) {
      std::vector<std::span<double>> vectors;
      for (Own& own : own_) vectors.emplace_back(own.*vector);
      peers_.Mean(Round(step).In(channel), vectors, rests);
    };
    mean(kErrors, &Own::ratios), mean(kFormed, &Own::formed), mean(kScaled, &Own::scaled);
  }

  void MovePoint(std::span<const double> h, std::span<const double> gradient, NewtonServer& server) override {
    const double beta = static_cast<double>(peers_.ranks()) * std::ranges::max(peers_.HeldMean(kErrors));
    const std::span<const double> formed = peers_.HeldMean(kFormed), scaled = peers_.HeldMean(kScaled);
    const std::vector<double> of_sum = TimesSum(scaled.first(d_));
    std::vector<double> b(h.begin(), h.end()), g(d_);
    for (double& v : b) v *= beta;
    AddSum(2 * (beta - 1) * scaled[d_], b, d_);
    for (size_t j = 0; j < d_; ++j) g[j] = beta * formed[j] + 2 * (beta - 1) * of_sum[j] - gradient[j];
    server.SetCurvature(b, 0);
    server.Form(g);
  }

 private:
  struct Own {
    size_t rank = 0;
    std::vector<double> coefficients, of_hessian;  // L_i and h(hess f_i)
    std::vector<double> ratios;                    // beta_i at its rank, and zeros
    std::vector<double> scaled;                    // gamma_i w_i, and gamma_i
    std::span<double> formed;                      // H_i w_i
  };

  /// act(L_jl, h_jl) for each.
  template <typename Act>
  void ForEach(const Own& own, const Act& act) const {
    for (size_t j = 0, at = 0; j < d_; ++j) {
      act(own.coefficients[at], own.of_hessian[at]), ++at;
      for (size_t l = j + 1; l < d_; ++l, ++at)
        act(own.coefficients[at] / std::numbers::sqrt2, own.of_hessian[at] / std::numbers::sqrt2);
    }
  }

  Peers& peers_;
  const size_t d_;
  std::vector<double> nothing_;  // for who has rested since this process began: it is not sent
  PositiveBasis basis_;
  std::vector<Own> own_;  // of the workers
};

}  // namespace

std::unique_ptr<StoredForm> MakePositiveForm(Peers& peers, const Problem& problem, const NewtonParts& parts) {
  return std::make_unique<PositiveForm>(peers, problem, parts);
}

}  // namespace gradwire
