// SPDX-License-Identifier: Apache-2.0
#pragma once

// One rank of a simulated job, as steps: it starts the buckets of a round one after another, and goes on with each when
// what it waits for is over, as ExchangeThread does on its threads.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/philox.h"
#include "collective/simulated.h"
#include "exchange/saved_memory.h"
#include "gradwire/exchange.h"
#include "support/buckets.h"

namespace gradwire::testing {

/// What a rank is to do: rounds [begin, end), from this memory on.
template <typename T>
struct SimulatedTask {
  std::vector<Parameter> parameters;
  ExchangeParts parts;
  Layout layout;
  uint64_t begin = 0, end = 0;
  std::vector<SavedVector<T>> memory;  ///< where it goes on from a save
  std::map<uint32_t, uint64_t> openings;
  std::function<void(uint64_t round, Buckets<T>&)> fill;  ///< with the rank's gradients
};

template <typename T>
class SimulatedWorker {
 public:
  SimulatedWorker(const SimulatedTask<T>& task, Simulation& simulation, std::unique_ptr<SimulatedCollective> collective)
      : task_(task),
        simulation_(simulation),
        rank_(collective->rank()),
        pauses_(simulation.seed, Purpose::kSynthetic, 1u << 30, static_cast<uint64_t>(rank_)),
        buckets_(task.parameters, task.layout),
        collective_(std::move(collective)) {
    Do([this] { Open(); });
  }
  SimulatedWorker(const SimulatedWorker&) = delete;

  /// The process is gone, in the middle of what it did.
  void Die() { Leave(State::kDead); }
  /// It does nothing more, and keeps its connections.
  void Stop() {
    if (state_ != State::kRuns) return;
    state_ = State::kSilent;
    collective_->FallSilent();
  }

  enum class State { kRuns, kDone, kFailed, kDead, kSilent };
  State state() const { return state_; }
  int rank() const { return rank_; }
  const std::string& error() const { return error_; }
  int blamed() const { return blamed_; }   ///< by its PeerError; -1: another error
  double ended() const { return ended_; }  ///< when
  /// Results by round since `begin` and bucket; of a bucket that was not finished none.
  const std::vector<std::vector<std::vector<T>>>& results() const { return results_; }
  Exchange<T>& exchange() { return *exchange_; }  ///< of one that is done

 private:
  /// Whatever it does next, after a pause: others' steps fall in between.
  void Do(std::function<void()> step) {
    simulation_.time.After(pauses_.Uniform() * simulation_.faults.mean_delay_s, [this, step] { Guard(step); });
  }

  void Guard(const std::function<void()>& step) {
    if (state_ != State::kRuns) return;
    try {
      step();
    } catch (const WouldWait& wait) {
      collective_->WhenOver(wait.operation, [this, step] { Guard(step); });
    } catch (const PeerError& error) {
      blamed_ = error.rank();
      error_ = error.what();
      Leave(State::kFailed);
    } catch (const std::exception& error) {
      error_ = error.what();
      Leave(State::kFailed);
    }
  }

  void Leave(State state) {
    if (state_ != State::kRuns) return;
    state_ = state;
    ended_ = simulation_.time.now();
    collective_.reset();  // before the exchange, as it says
  }

  void Open() {
    if (!exchange_) exchange_ = std::make_unique<Exchange<T>>(*collective_, task_.parameters, task_.parts);
    if (task_.begin > 0) {
      LoadMemory(*exchange_, task_.memory);
      SetOpenings(*exchange_, task_.openings);
    }
    round_ = task_.begin;
    BeginRound();
  }

  void BeginRound() {
    if (round_ == task_.end) {
      state_ = State::kDone;  // its collective stays: others may still take what it has sent
      ended_ = simulation_.time.now();
      return;
    }
    task_.fill(round_, buckets_);
    results_.emplace_back(buckets_.size());
    unfinished_ = buckets_.size();
    Do([this] { StartBucket(0); });
  }

  void StartBucket(size_t i) {
    const auto id = exchange_->Start({round_, kLr}, buckets_.At(i));
    if (!exchange_->takes_turns()) StartBehind(i);
    Follow(id, i);
  }

  void StartBehind(size_t i) {
    if (i + 1 < buckets_.size()) Do([this, i] { StartBucket(i + 1); });
  }

  void Follow(typename Exchange<T>::Id id, size_t i) {
    const auto wait = exchange_->Pending(id);
    if (!wait) return Finished(i);
    collective_->WhenOver(wait->operation, [this, id, i, wait] {
      Guard([&] {
        exchange_->Advance(id, exchange_->Await(*wait));
        Follow(id, i);
      });
    });
  }

  void Finished(size_t i) {
    const std::span<T> values = buckets_.At(i).values;
    results_.back()[i].assign(values.begin(), values.end());
    if (exchange_->takes_turns()) StartBehind(i);
    if (--unfinished_ > 0) return;
    ++round_;
    BeginRound();
  }

 public:
  static constexpr double kLr = 0.25;

 private:
  const SimulatedTask<T>& task_;
  Simulation& simulation_;
  const int rank_;
  Philox pauses_;
  Buckets<T> buckets_;
  std::unique_ptr<Exchange<T>> exchange_;
  std::unique_ptr<SimulatedCollective> collective_;
  State state_ = State::kRuns;
  uint64_t round_ = 0;
  size_t unfinished_ = 0;
  std::vector<std::vector<std::vector<T>>> results_;
  std::string error_;
  int blamed_ = -1;
  double ended_ = 0;
};

}  // namespace gradwire::testing
