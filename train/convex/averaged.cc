// SPDX-License-Identifier: Apache-2.0
#include "train/convex/averaged.h"

#include <utility>

#include "train/checkpoint/archive.h"

namespace gradwire::train {
namespace {

constexpr const char* kAverage = "average";

class Averaged final : public ConvexDriver {
 public:
  Averaged(std::unique_ptr<ConvexDriver> inner, double a) : inner_(std::move(inner)), a_(a) {}

  void Begin(const Round& round) override { inner_->Begin(round); }
  bool Step(const Round& round) override {
    Add(a_ + static_cast<double>(round.step));
    return inner_->Step(round);
  }
  void End(const Round& round) override { inner_->End(round); }
  bool is_finite() const override { return inner_->is_finite(); }

  void Save(Snapshot& file) override {
    inner_->Save(file);
    PutState(file, kAverage, *this);
  }
  void SaveOf(size_t place, Snapshot& file) override {
    inner_->SaveOf(place, file);
    PutState(file, kAverage, *this);
  }
  void Load(const train::Save& save) override {
    inner_->Load(save);
    GetState(save.files.at(0), kAverage, *this);  // of any rank: they agree on the points
  }

  std::span<const double> agreed() const override { return inner_->agreed(); }
  void Describe(ConvexState& state) override {
    inner_->Describe(state);
    state.average = mean_;
  }
  std::vector<std::string> Introduction() const override { return inner_->Introduction(); }
  std::optional<AlphaBetaMeter> alpha_beta() override { return inner_->alpha_beta(); }
  int64_t steps_per_epoch() const override { return inner_->steps_per_epoch(); }

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(weights_, mean_);
  }

 private:
  /// The point as it is now, with weight `root` squared.
  void Add(double root) {
    const std::span<const double> x = agreed();
    mean_.resize(x.size());
    weights_ += root * root;
    const double share = root * root / weights_;
    for (size_t j = 0; j < x.size(); ++j) mean_[j] += share * (x[j] - mean_[j]);
  }

  const std::unique_ptr<ConvexDriver> inner_;
  const double a_;
  double weights_ = 0;        // their sum
  std::vector<double> mean_;  // empty before the first step
};

}  // namespace

std::unique_ptr<ConvexDriver> AverageOf(std::unique_ptr<ConvexDriver> inner, double a) {
  return std::make_unique<Averaged>(std::move(inner), a);
}

}  // namespace gradwire::train
