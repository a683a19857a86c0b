// SPDX-License-Identifier: Apache-2.0
#include "newton/stored_form.h"

namespace gradwire {
namespace {

class ShiftedForm final : public StoredForm {
 public:
  ShiftedForm(Peers& peers, const Problem& problem, const NewtonParts& parts)
      : peers_(peers), nothing_(problem.dimension()), g_(problem.dimension()) {
    formed_.assign(peers.size(), nothing_), errors_.assign(peers.size(), std::span(nothing_).first(1));
    const auto d = static_cast<int64_t>(problem.dimension());
    peers.Open(kErrors, {.name = "l", .shape = {1}}, KeptParts(parts.seed, parts.count_as));
    // A server that keeps every H_i and w_i makes these by itself, so that no paper counts them.
    peers.Open(kFormed, {.name = "formed", .shape = {d}}, KeptParts(parts.seed, nullptr));
  }

  void Measure(size_t i, NewtonWorker& worker, const Known& known) override {
    worker.Error(known.held, known.hessian);
    worker.Form(known.held, known.w);
    errors_[i] = worker.number(), formed_[i] = worker.formed();
  }

  void Send(uint64_t step, std::span<const uint8_t> rests) override {
    peers_.Mean(Round(step).In(kErrors), errors_, rests);
    peers_.Mean(Round(step).In(kFormed), formed_, rests);
  }

  void MovePoint(std::span<const double> h, std::span<const double> gradient, NewtonServer& server) override {
    const std::span<const double> formed = peers_.HeldMean(kFormed);
    for (size_t j = 0; j < g_.size(); ++j) g_[j] = formed[j] - gradient[j];
    server.SetCurvature(h, peers_.HeldMean(kErrors)[0]);
    server.Form(g_);
  }

 private:
  Peers& peers_;
  std::vector<double> nothing_;                     // for who has rested since this process began: it is not sent
  std::vector<std::span<double>> formed_, errors_;  // of the workers
  std::vector<double> g_;
};

}  // namespace

std::unique_ptr<StoredForm> MakeShiftedForm(Peers& peers, const Problem& problem, const NewtonParts& parts) {
  return std::make_unique<ShiftedForm>(peers, problem, parts);
}

}  // namespace gradwire
