// SPDX-License-Identifier: Apache-2.0
#include "newton/peers.h"

#include <algorithm>
#include <numeric>

#include "message/bucket_plan.h"

namespace gradwire {
namespace {

class OneOfRanks final : public Peers {
 public:
  OneOfRanks(Exchange<double>& exchange, uint32_t rank, uint32_t ranks)
      : exchange_(exchange), rank_(rank), ranks_(ranks) {}

  size_t size() const override { return 1; }
  uint32_t first() const override { return rank_; }
  uint32_t ranks() const override { return ranks_; }
  void ForEach(const std::function<void(size_t)>& act) override { act(0); }
  void Open(uint32_t channel, const Parameter& parameter, const ExchangeParts& parts) override {
    exchange_.Open(channel, {parameter}, parts);
  }
  std::span<const double> Mean(const Round& round, std::span<const std::span<double>> vectors,
                               std::span<const uint8_t> silent) override {
    mean_.assign(vectors[0].begin(), vectors[0].end());
    const Segment all{0, 0, mean_.size()};
    const bool is_silent = !silent.empty() && silent[0] != 0;
    exchange_.Finish(exchange_.Start(round, {.segments = {&all, 1}, .values = mean_, .silent = is_silent}));
    return mean_;
  }
  std::span<const double> MeanOf(const Round& round, size_t numel,
                                 const std::function<void(size_t, std::span<double>)>& make) override {
    std::vector<double> made(numel);
    make(0, made);
    const std::span<double> vector = made;
    return Mean(round, {&vector, 1}, {});
  }
  std::span<const double> Held(uint32_t channel, size_t) override { return exchange_.state(channel).Vector(0, "h"); }
  std::span<const double> HeldMean(uint32_t channel) override { return exchange_.state(channel).Vector(0, "mean h"); }

 private:
  Exchange<double>& exchange_;
  const uint32_t rank_, ranks_;
  std::vector<double> mean_;
};

class AllRanks final : public Peers {
 public:
  explicit AllRanks(JointExchange<double>& exchange) : exchange_(exchange), buckets_(exchange.ranks()) {}

  size_t size() const override { return exchange_.ranks(); }
  uint32_t first() const override { return 0; }
  uint32_t ranks() const override { return exchange_.ranks(); }
  void ForEach(const std::function<void(size_t)>& act) override { exchange_.ForRanks(act); }
  void Open(uint32_t channel, const Parameter& parameter, const ExchangeParts& parts) override {
    exchange_.Open(channel, {parameter}, parts);
  }
  std::span<const double> Mean(const Round& round, std::span<const std::span<double>> vectors,
                               std::span<const uint8_t> silent) override {
    const Segment all{0, 0, vectors[0].size()};
    for (size_t i = 0; i < buckets_.size(); ++i)
      buckets_[i] = {.segments = {&all, 1}, .values = vectors[i], .silent = !silent.empty() && silent[i] != 0};
    return exchange_.Mean(round, buckets_);
  }
  std::span<const double> MeanOf(const Round& round, size_t,
                                 const std::function<void(size_t, std::span<double>)>& make) override {
    return exchange_.MeanOf(round, make);
  }
  std::span<const double> Held(uint32_t channel, size_t worker) override {
    return exchange_.state(channel, worker).Vector(0, "h");
  }
  std::span<const double> HeldMean(uint32_t channel) override {
    return exchange_.receivers_state(channel).Vector(0, "mean h");
  }

 private:
  JointExchange<double>& exchange_;
  std::vector<Bucket<double>> buckets_;  // by rank
};

}  // namespace

std::unique_ptr<Peers> MakePeers(Exchange<double>& exchange, uint32_t rank, uint32_t ranks) {
  return std::make_unique<OneOfRanks>(exchange, rank, ranks);
}

std::unique_ptr<Peers> MakePeers(JointExchange<double>& exchange) { return std::make_unique<AllRanks>(exchange); }

}  // namespace gradwire
