// SPDX-License-Identifier: Apache-2.0
#pragma once

// What holds of every simulated job: each rank ends, what it was given is right in every bit or it was given nothing
// but an error that names who failed, nothing that came in is lost, and both ends of a link hold the same.

#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "exchange/joint_exchange.h"
#include "exchange/joint_memory.h"
#include "exchange/topologies.h"
#include "gradwire/method.h"
#include "support/simulated_trial.h"
#include "support/simulated_worker.h"

namespace gradwire::testing {

/// What was seen of some seeds.
struct SimulatedTally {
  uint64_t jobs = 0, whole = 0, failed = 0, faults = 0, rounds = 0;
  std::vector<std::string> violations;
};

template <typename T>
bool SameBits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// A trial under way: the memory that was saved last, and the law's own account.
template <typename T>
class SimulatedRun {
 public:
  SimulatedRun(const SimulatedTrial& trial, SimulatedTally& tally)
      : trial_(trial), tally_(tally), parts_(MakeParts(trial.combination.Config(), trial.seed)) {
    for (const Parameter& parameter : kParameters) missing_.emplace_back(parameter.numel());
  }

  void Run() {
    for (SimulatedJob job : trial_.jobs) {
      if (RunJob(job)) continue;
      job.casualty.reset();  // those that are left, and perhaps one that comes, go on from the save
      job.faults = {};
      job.ranks = job.ranks > 1 && trial_.seed % 2 == 0 ? job.ranks - 1 : job.ranks + 1;
      if (!RunJob(job)) Violation("a job without faults failed");
    }
  }

 private:
  using Worker = SimulatedWorker<T>;
  using State = typename Worker::State;

  void Violation(const std::string& what) { tally_.violations.push_back(trial_.text() + ": " + what); }

  void Fill(int rank, uint64_t round, Buckets<T>& buckets) const {
    Philox random(trial_.seed, Purpose::kSynthetic, static_cast<uint64_t>(rank), round);
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (T& x : buckets.Of(p)) x = static_cast<T>(static_cast<int>(random.Next() % 8192) - 3000) / T(4096);
    if (round == trial_.nan_round && rank == 0) buckets.Of(0)[3] = std::numeric_limits<T>::quiet_NaN();
  }

  std::vector<std::vector<SavedVector<T>>> MemoryFor(int ranks) const {
    if (saved_.size() == static_cast<size_t>(ranks)) return saved_;
    return {static_cast<size_t>(ranks), Reshard(saved_, parts_.topology)};
  }

  /// Whether all ranks came to the end.
  bool RunJob(const SimulatedJob& job) {
    ++tally_.jobs;
    const auto memory = job.begin > 0 ? MemoryFor(job.ranks) : std::vector<std::vector<SavedVector<T>>>{};
    Simulation simulation(trial_.seed * 16 + jobs_++, job.faults);
    std::vector<SimulatedTask<T>> tasks;
    for (int rank = 0; rank < job.ranks; ++rank)
      tasks.push_back({kParameters, parts_, kLayout, job.begin, job.end,
                       memory.empty() ? std::vector<SavedVector<T>>{} : memory[static_cast<size_t>(rank)], openings_,
                       [this, rank](uint64_t round, Buckets<T>& buckets) { Fill(rank, round, buckets); }});
    std::vector<std::unique_ptr<Worker>> workers;
    auto collectives = MakeSimulatedCollectives(job.ranks, simulation);
    for (size_t rank = 0; rank < tasks.size(); ++rank)
      workers.push_back(std::make_unique<Worker>(tasks[rank], simulation, std::move(collectives[rank])));
    if (job.casualty)
      simulation.time.After(job.casualty->after_s,
                            [&worker = *workers[static_cast<size_t>(job.casualty->rank)], dies = job.casualty->dies] {
                              dies ? worker.Die() : worker.Stop();
                            });
    size_t events = 0;
    while (simulation.time.Next() && ++events < kMostEvents) {
    }
    if (events == kMostEvents) Violation("goes on for ever");
    tally_.faults += simulation.happened.size() + (job.casualty ? 1 : 0);
    CheckEnds(job, simulation, workers);
    return CheckResults(job, memory, workers);
  }

  /// Every rank ends, and an error names who failed; the others' may name who left because of it.
  void CheckEnds(const SimulatedJob& job, const Simulation& simulation,
                 const std::vector<std::unique_ptr<Worker>>& workers) {
    std::set<int> culprits, left;
    for (const SimulatedFault& fault : simulation.happened) culprits.insert(fault.sender);
    if (job.casualty) culprits.insert(job.casualty->rank);
    const Worker* first = nullptr;
    for (const auto& worker : workers) {
      if (worker->state() == State::kRuns) Violation(fmt::format("rank {} waits for ever", worker->rank()));
      if (worker->state() != State::kFailed) continue;
      left.insert(worker->rank());
      if (first == nullptr || worker->ended() < first->ended()) first = worker.get();
    }
    // Where a message is lost all may wait for each other, and nobody can tell whose it was; TCP loses none.
    const bool lost = std::ranges::any_of(simulation.happened, [](const auto& f) { return f.fault == Fault::kDrop; });
    if (first != nullptr && !lost && !culprits.contains(first->blamed()))
      Violation(fmt::format("rank {}, the first to fail, blames {}, who did nothing: {}", first->rank(),
                            first->blamed(), first->error()));
    for (const auto& worker : workers)
      if (worker->state() == State::kFailed && !culprits.contains(worker->blamed()) &&
          !left.contains(worker->blamed()) && (!lost || worker->blamed() < 0))
        Violation(fmt::format("rank {} blames {}: {}", worker->rank(), worker->blamed(), worker->error()));
    for (const SimulatedFault& fault : simulation.happened)
      if (fault.fault != Fault::kCutMute && workers[static_cast<size_t>(fault.receiver)]->state() == State::kDone)
        Violation(fmt::format("rank {} took what was no message: {} from rank {} in operation {}", fault.receiver,
                              NameOf(fault.fault), fault.sender, fault.operation));
  }

  /// What ranks were given is what they are given where all are in one place and nothing is on the way.
  bool CheckResults(const SimulatedJob& job, const std::vector<std::vector<SavedVector<T>>>& memory,
                    const std::vector<std::unique_ptr<Worker>>& workers) {
    JointExchange<T> joint(static_cast<uint32_t>(job.ranks), 1, kParameters, parts_);
    if (job.begin > 0) LoadMemory(joint, memory), SetOpenings(joint, openings_);
    std::vector<Buckets<T>> buckets(workers.size(), Buckets<T>(kParameters, kLayout));
    std::vector<std::vector<T>> missing = missing_;
    for (uint64_t round = job.begin; round < job.end; ++round) {
      for (const auto& worker : workers) Fill(worker->rank(), round, buckets[static_cast<size_t>(worker->rank())]);
      Enter(buckets, missing);
      for (size_t i = 0; i < kLayout.size(); ++i) {
        std::vector<Bucket<T>> all;
        for (Buckets<T>& own : buckets) all.push_back(own.At(i));
        joint.Exchange({round, Worker::kLr}, all);
        for (const auto& worker : workers) Compare(*worker, round - job.begin, i, all[0].values);
      }
      for (uint32_t p = 0; p < kParameters.size(); ++p)
        for (size_t e = 0; e < missing[p].size(); ++e) missing[p][e] -= buckets[0].Of(p)[e];
    }
    for (const auto& worker : workers)
      if (worker->state() != State::kDone) return ++tally_.failed, false;
    ++tally_.whole;
    tally_.rounds += job.end - job.begin;
    missing_ = missing;
    Save(workers, joint);
    CheckConservation();
    CheckShifts();
    return true;
  }

  /// The gradients' mean came in.
  static void Enter(std::vector<Buckets<T>>& buckets, std::vector<std::vector<T>>& missing) {
    for (uint32_t p = 0; p < kParameters.size(); ++p)
      for (size_t e = 0; e < missing[p].size(); ++e)
        for (Buckets<T>& own : buckets) missing[p][e] += own.Of(p)[e] / static_cast<T>(buckets.size());
  }

  void Compare(const Worker& worker, size_t round, size_t bucket, std::span<const T> expected) {
    if (round >= worker.results().size() || worker.results()[round][bucket].empty()) return;
    if (!SameBits<T>(worker.results()[round][bucket], expected))
      Violation(
          fmt::format("rank {} was given a wrong result in its round {}, bucket {}", worker.rank(), round, bucket));
  }

  void Save(const std::vector<std::unique_ptr<Worker>>& workers, JointExchange<T>& joint) {
    saved_.clear();
    for (const auto& worker : workers) {
      saved_.push_back(SaveMemory(worker->exchange()));
      const auto expected = SaveMemory(joint, static_cast<uint32_t>(worker->rank()));
      bool same = saved_.back().size() == expected.size();
      for (size_t i = 0; same && i < expected.size(); ++i)
        same = SameBits<T>(saved_.back()[i].values, expected[i].values);
      if (!same) Violation(fmt::format("rank {} remembers something else", worker->rank()));
    }
    openings_ = OpeningsOf(workers[0]->exchange());
  }

  /// The mean over the ranks, or of the way back, and of what owners hold, the sum.
  std::vector<long double> Kept(std::string_view name, bool down, uint32_t parameter, bool sum) const {
    std::vector<long double> kept(kParameters[parameter].numel());
    for (const auto& memory : saved_)
      for (const SavedVector<T>& vector : memory)
        if (vector.name == name && vector.down == down && vector.parameter == parameter)
          for (size_t e = 0; e < kept.size(); ++e)
            kept[e] += vector.values[e] / (sum ? 1 : static_cast<long double>(saved_.size()));
    return kept;
  }

  static bool Feeds(const Link& link) {
    return link.reference == Reference::kZero && link.kappa == Coefficient(1) && link.lambda == Coefficient(1) &&
           !link.step_inside;
  }

  /// What came in is what came out and what is remembered on the way.
  void CheckConservation() {
    const bool has_down = FindTopology(parts_.topology).has_owners;
    const bool passes_on = has_down && parts_.down.name == "raw" && parts_.down_compressor->is_identity();
    const bool keeps_down = !has_down || Feeds(parts_.down) || passes_on;
    if (!Feeds(parts_.link) || !keeps_down || parts_.learner || !parts_.participation.is_all() || parts_.votes ||
        parts_.link.has_momentum() || trial_.nan_round)
      return;
    for (uint32_t p = 0; p < kParameters.size(); ++p) {
      const auto up = Kept("e", false, p, false), down = Kept("e", true, p, true);
      for (size_t e = 0; e < up.size(); ++e)
        if (const long double left = missing_[p][e] - up[e] - down[e]; !(std::abs(left) < kRounding))
          return Violation(
              fmt::format("{} of element {} of {} was lost", static_cast<double>(left), e, kParameters[p].name));
    }
  }

  /// Receivers hold the mean of what senders hold.
  void CheckShifts() {
    if (parts_.link.reference != Reference::kShift || !parts_.participation.is_all() || trial_.nan_round) return;
    for (uint32_t p = 0; p < kParameters.size(); ++p) {
      const auto sent = Kept("h", false, p, false);
      const auto held = Kept("mean h", false, p, FindTopology(parts_.topology).has_owners);
      for (size_t e = 0; e < sent.size(); ++e)
        if (!(std::abs(sent[e] - held[e]) < kRounding))
          return Violation(fmt::format("element {} of {}: senders' shifts are {} in the mean, receivers hold {}", e,
                                       kParameters[p].name, static_cast<double>(sent[e]),
                                       static_cast<double>(held[e])));
    }
  }

  static constexpr size_t kMostEvents = 1'000'000;
  /// Of some 10 rounds of numbers below 4, or their residuals below 64.
  static constexpr double kRounding = 64 * 1024 * static_cast<double>(std::numeric_limits<T>::epsilon());
  static inline const std::vector<Parameter> kParameters = {{"weight", {40, 30}}, {"bias", {40}}, {"wide", {33, 37}}};
  static inline const Layout kLayout = {{2}, {1, 0}};

  const SimulatedTrial& trial_;
  SimulatedTally& tally_;
  const ExchangeParts parts_;
  uint64_t jobs_ = 0;
  std::vector<std::vector<SavedVector<T>>> saved_;
  std::map<uint32_t, uint64_t> openings_;
  std::vector<std::vector<T>> missing_;  // by parameter: the means that came in, less the results
};

inline void Simulate(const SimulatedTrial& trial, SimulatedTally& tally) {
  try {
    if (trial.in_doubles)
      SimulatedRun<double>(trial, tally).Run();
    else
      SimulatedRun<float>(trial, tally).Run();
  } catch (const std::exception& error) {
    tally.violations.push_back(trial.text() + ": " + error.what());
  }
}

}  // namespace gradwire::testing
