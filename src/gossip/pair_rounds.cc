// SPDX-License-Identifier: Apache-2.0
#include "gossip/pair_rounds.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/philox.h"
#include "gradwire/error.h"
#include "kernels/kernels.h"

namespace gradwire {
namespace {

constexpr uint64_t kToken = 0x7061697273;                // both ends of every link are in this process
constexpr uint64_t kPartners = (uint64_t{1} << 32) + 3;  // its stream of kShuffle: workers have theirs by number

}  // namespace

PairRounds::PairRounds(std::span<const double> start, const Mixing& mixing, const ExchangeParts& link,
                       const DelayModel& delays, std::vector<std::unique_ptr<Estimator>> estimators, uint64_t seed)
    : mixing_(mixing),
      seed_(seed),
      clock_(delays, seed),
      gradient_(start.size()),
      of_one_(start.size()),
      of_other_(start.size()) {
  const std::vector<Parameter> model = {{"x", {static_cast<int64_t>(start.size())}}};
  const std::vector<double> x(start.begin(), start.end());
  for (std::unique_ptr<Estimator>& estimator : estimators) {
    const int number = static_cast<int>(workers_.size());
    workers_.push_back({x, x, std::move(estimator), LinkEnd<double>(model, link, number, kToken),
                        LinkEnd<double>(model, link, number, kToken)});
  }
}

void PairRounds::Begin() {
  for (uint32_t worker = 0; worker < workers_.size(); ++worker) BeginNext(worker);
}

std::vector<uint32_t> PairRounds::NeighboursOf(size_t worker) const {
  std::vector<uint32_t> neighbours;
  for (const Weights::Neighbour& neighbour : mixing_.rounds[0].neighbours[worker])
    neighbours.push_back(neighbour.worker);
  return neighbours;
}

void PairRounds::ThrowOtherNeighbours(size_t worker, const std::vector<uint32_t>& there) const {
  throw Error(fmt::format("a save of worker {} with the neighbours {}, here {}; expected the graph of the save", worker,
                          fmt::join(there, ", "), fmt::join(NeighboursOf(worker), ", ")));
}

void PairRounds::BeginNext(uint32_t worker) {
  workers_[worker].read = workers_[worker].x;
  AsyncJob job;
  job.worker = worker, job.version = stats_.applied;
  clock_.Begin(std::move(job));
}

void PairRounds::Step(double lr) {
  const AsyncJob job = clock_.Finish();
  Worker& worker = workers_[job.worker];
  worker.estimator->Estimate(worker.read, worker.estimator->Next({worker.done++, lr}), gradient_);
  const auto& neighbours = mixing_.rounds[0].neighbours[job.worker];
  if (!neighbours.empty()) {
    Philox random(seed_, Purpose::kShuffle, kPartners, stats_.applied);
    Average(worker, workers_[neighbours[random.Below(static_cast<uint32_t>(neighbours.size()))].worker]);
  }
  for (size_t j = 0; j < gradient_.size(); ++j) worker.x[j] -= lr * gradient_[j];
  is_finite_ = is_finite_ && kernels::AllFinite<double>(worker.x);
  const uint64_t staleness = stats_.applied++ - job.version;
  ++stats_.staleness[staleness];
  stats_.tau_max = std::max(stats_.tau_max, staleness);
  stats_.tau_c = workers_.size();
  BeginNext(job.worker);
}

void PairRounds::Average(Worker& one, Worker& other) {
  if (!kernels::AllFinite<double>(one.x) || !kernels::AllFinite<double>(other.x)) return;  // messages are of numbers
  Tell(one, of_one_);
  Tell(other, of_other_);
  for (size_t j = 0; j < of_one_.size(); ++j) one.x[j] = other.x[j] = (of_one_[j] + of_other_[j]) / 2;
}

void PairRounds::Tell(Worker& worker, std::span<double> to) {
  const std::vector<std::byte> message = worker.sender.Pack(worker.told, 1, worker.x);
  worker.receiver.Unpack(worker.told++, 1, message, to);
}

Spread PairRounds::Measure() const {
  std::vector<std::span<const double>> models;
  for (const Worker& worker : workers_) models.emplace_back(worker.x);
  return SpreadOf<double>(models, [](std::span<double>) {});
}

}  // namespace gradwire
