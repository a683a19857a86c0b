// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "base/philox.h"
#include "driver/model_link.h"
#include "driver/objective.h"

namespace gradwire {

/// Who gets the next jobs (Islamov, Safaryan, Alistarh, "AsGrad", AISTATS 2024, arXiv 2310.20452).
enum class Assign {
  kPure,        ///< those who have finished
  kRandom,      ///< uniformly drawn workers
  kShuffled,    ///< the next ones of a random permutation, drawn anew when it is used up
  kShuffleOnce  ///< the same permutation again and again, until a worker comes or goes
};

struct AsyncConfig {
  Assign assign = Assign::kPure;
  int64_t wait_for = 1;       ///< b: jobs are handed out when so many, or all workers', have come back
  int64_t max_staleness = 0;  ///< a gradient that is older, in applied messages, is not applied; 0: no bound
};

/// What is sent between the server and each of its workers.
struct AsyncParts {
  ExchangeParts up;    ///< of gradients, by a link of the worker's own
  ExchangeParts down;  ///< of the model: see ModelLink
};

/// A gradient that a worker is to compute.
struct AsyncJob {
  uint32_t worker = 0;
  uint64_t number = 0;   ///< counts the gradients of the run; a job that was lost is handed out again under its number
  uint64_t version = 0;  ///< of the model: gradients applied before it was handed out
  double lr = 0;         ///< for links that know the step size
  std::vector<std::byte> model;  ///< the message that brings it

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(worker, number, version, lr, model);
  }
};

/// What became of a job.
struct JobRecord {
  uint32_t worker = 0;
  uint64_t number = 0;
  uint64_t read = 0, applied = 0;  ///< versions: the one it saw, and the one it changed
  bool dropped = false;            ///< too old

  uint64_t staleness() const { return applied - read; }
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(worker, number, read, applied, dropped);
  }
};

/// What the server has seen.
struct AsyncStats {
  uint64_t applied = 0, dropped = 0;
  std::map<uint64_t, uint64_t> staleness;  ///< applied gradients by versions between reading and applying
  uint64_t tau_max = 0;                    ///< the largest staleness
  uint64_t tau_c = 0;                      ///< the most jobs that were out at once
  uint64_t bytes_up = 0, bytes_down = 0;   ///< of gradients and models, frames included
  double decode_s = 0;                     ///< seconds spent on decoding gradients

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(applied, dropped, staleness, tau_max, tau_c, bytes_up, bytes_down, decode_s);
  }
};

/// The server of driver T3, the event loop: it steps along each gradient as it comes, and hands out jobs by the rule at
/// the then current model. It knows no clock and no transport: whoever drives it brings messages in the order of their
/// arrival. Workers come and go; one that has gone does not come back under its number. Not thread-safe.
template <typename T>
class AsyncServer {
 public:
  /// `model`: what is trained; it outlives the server, which moves it by its Step.
  AsyncServer(Objective<T>& model, AsyncParts parts, const AsyncConfig& config, uint64_t seed, uint64_t token);

  /// Step size from now on.
  void SetLr(double lr) { lr_ = lr; }

  // Each returns the jobs to hand out now.

  /// A worker has come, whose number is new.
  std::vector<AsyncJob> Join(uint32_t worker);
  /// A worker has gone. Its jobs are handed out again.
  std::vector<AsyncJob> Leave(uint32_t worker);
  /// A worker's message about its oldest job. Throws PeerError.
  std::vector<AsyncJob> Apply(uint32_t worker, std::span<const std::byte> message);

  /// What became of the job that the last Apply was about.
  const JobRecord& last() const { return last_; }
  const std::vector<uint32_t>& workers() const { return present_; }
  /// Jobs that a worker has.
  size_t JobsOf(uint32_t worker) const { return workers_.at(worker).jobs.size(); }
  const AsyncStats& stats() const { return stats_; }
  /// The number that the next new job gets; with it and the numbers of all that are out a later server can go on.
  uint64_t next_number() const { return next_number_; }
  std::vector<uint64_t> Unfinished() const;
  /// For a server whose workers come anew, with links from their first message on. Before the first Join.
  void Resume(uint64_t next_number, const std::vector<uint64_t>& unfinished, const AsyncStats& stats);

  /// With workers that go on as well, and jobs that are under way: all but the model and the step size. Loads into a
  /// server made alike that nobody has joined.
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(present_, finished_, permutation_, again_, next_number_, next_, draws_, out_, last_, stats_);
    for (const uint32_t worker : present_) archive(Meet(worker));
  }

 private:
  struct Out {
    uint64_t number, version;
    double lr;

    template <typename Archive>
    void serialize(Archive& archive) {
      archive(number, version, lr);
    }
  };
  struct Worker {
    LinkEnd<T> up;
    ModelLink<T> down;
    uint64_t received = 0;
    std::deque<Out> jobs = {};  // oldest first

    template <typename Archive>
    void serialize(Archive& archive) {
      archive(up, down, received, jobs);
    }
  };

  Worker& Meet(uint32_t worker);
  AsyncJob Give(uint32_t worker);
  uint64_t NextNumber();
  uint32_t NextWorker();
  std::vector<AsyncJob> Assignments();
  void Shuffle();
  std::span<const T> Model();
  void StepAlong(std::span<const T> gradient);

  Objective<T>& model_;
  const AsyncParts parts_;
  const AsyncConfig config_;
  const uint64_t seed_, token_;
  double lr_ = 0;
  std::map<uint32_t, Worker> workers_;
  std::vector<uint32_t> present_, finished_, permutation_;
  std::vector<T> flat_;
  std::deque<uint64_t> again_;  // numbers of lost jobs
  uint64_t next_number_ = 0;
  size_t next_ = 0;     // the next place in permutation_
  uint64_t draws_ = 0;  // permutations or workers drawn so far
  uint64_t out_ = 0;    // jobs that have not come back
  JobRecord last_;
  AsyncStats stats_;
};

/// A worker's end of the event loop. Not thread-safe.
template <typename T>
class AsyncWorker {
 public:
  /// `objective`: computes its gradients; it outlives the worker. The rest: as the server's.
  AsyncWorker(Objective<T>& objective, const AsyncParts& parts, uint32_t worker, uint64_t token);

  /// The message about the gradient at the model that `model`, the next message of the server, brings. Throws PeerError
  /// for bytes that cannot be believed, Error for a non-finite gradient.
  std::vector<std::byte> Compute(std::span<const std::byte> model, double lr);

  /// Bytes of the messages so far, and the seconds that packing and unpacking them took.
  const ExchangeStats& stats() const { return up_.stats(); }
  double SquaredMemoryNorm(std::string_view slot) const { return up_.SquaredMemoryNorm(slot); }

  /// All but its objective.
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(up_, down_, sent_);
  }

 private:
  Objective<T>& objective_;
  LinkEnd<T> up_;
  ModelLink<T> down_;
  std::vector<T> flat_;
  uint64_t sent_ = 0;
};

}  // namespace gradwire
