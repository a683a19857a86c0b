// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "gradwire/link_end.h"
#include "gradwire/philox.h"

namespace gradwire {

/// Who gets the next jobs (Islamov, Safaryan, Alistarh, "AsGrad", AISTATS 2024, arXiv 2310.20452).
enum class Assign {
  kPure,        ///< those who have finished
  kRandom,      ///< uniformly drawn workers
  kShuffled,    ///< the next ones of a random permutation, drawn anew when it is used up
  kShuffleOnce  ///< the same permutation again and again
};

struct AsyncConfig {
  Assign assign = Assign::kPure;
  int64_t wait_for = 1;       ///< b: jobs are handed out when so many have come back
  int64_t max_staleness = 0;  ///< a gradient that is older, in applied messages, is not applied; 0: no bound
};

/// A gradient that a worker is to compute, at the model of this version.
struct Job {
  uint32_t worker;
  uint64_t version;  ///< gradients applied before it was handed out
};

/// What the server has seen.
struct AsyncStats {
  uint64_t applied = 0, dropped = 0;
  std::map<uint64_t, uint64_t> staleness;  ///< applied gradients by versions between reading and applying
  uint64_t tau_max = 0;                    ///< the largest staleness
  uint64_t tau_c = 0;                      ///< the most jobs that were out at once
};

/// The server of driver T3, the event loop: it applies each gradient as it comes, x <- x - lr g, and hands out jobs by
/// the rule at the then current model. It knows no clock and no transport: whoever drives it brings messages in the
/// order of their arrival. Each worker has a link of its own; its messages are numbered from 0. Not thread-safe.
template <typename T>
class AsyncServer {
 public:
  /// `x`: the model at the start, all parameters one after another.
  AsyncServer(std::vector<T> x, const std::vector<Parameter>& parameters, const ExchangeParts& parts, size_t workers,
              const AsyncConfig& config, uint64_t seed, uint64_t token);

  /// One job for each worker, at the start.
  std::vector<Job> Start();
  /// Takes a worker's message about its oldest job, and returns the jobs to hand out now. Throws PeerError.
  std::vector<Job> Apply(uint32_t worker, double lr, std::span<const std::byte> message);

  std::span<const T> x() const { return x_; }
  const AsyncStats& stats() const { return stats_; }

 private:
  struct Worker {
    LinkEnd<T> link;
    uint64_t received = 0;
    std::deque<uint64_t> jobs = {};  // versions, oldest first
  };

  Job Give(uint32_t worker);
  uint32_t NextWorker();
  std::vector<Job> Assignments();
  void Shuffle();

  std::vector<T> x_, gradient_;
  const AsyncConfig config_;
  const uint64_t seed_;
  std::vector<Worker> workers_;
  std::vector<uint32_t> finished_, permutation_;
  size_t next_ = 0;     // in the permutation
  uint64_t draws_ = 0;  // of permutations or workers
  uint64_t out_ = 0;    // jobs that have not come back
  AsyncStats stats_;
};

/// How long a worker takes for a job, in units of the simulated clock.
struct DelayModel {
  enum class Kind {
    kNone,     ///< 1
    kFixed,    ///< s_i
    kPoisson,  ///< Poisson(s_i)
    kNormal,   ///< |N(s_i, s_i)| + 1
    kUniform   ///< U(0, s_i) + 1
  } kind = Kind::kFixed;
  std::vector<double> speed;  ///< s_i by worker
};

/// The event loop on a simulated clock, in one thread: reproducible to the last job. Jobs of a busy worker wait in its
/// queue; of two that finish at the same time the one that was begun earlier comes first.
class SimulatedClock {
 public:
  SimulatedClock(const DelayModel& delays, uint64_t seed);

  void Begin(const Job& job);
  /// The next job that is finished; its worker begins the next one of its queue.
  Job Finish();

  double now() const { return now_; }

 private:
  struct Event {
    double time;
    uint64_t order;
    Job job;
    bool operator>(const Event& other) const { return time != other.time ? time > other.time : order > other.order; }
  };

  double Delay(uint32_t worker);
  void Run(const Job& job);

  const DelayModel delays_;
  const uint64_t seed_;
  double now_ = 0;
  uint64_t begun_ = 0;
  std::vector<std::deque<Job>> waiting_;
  std::vector<char> is_busy_;
  std::vector<uint64_t> drawn_;
  std::vector<Event> events_;  // a heap, the earliest first
};

}  // namespace gradwire
