// SPDX-License-Identifier: Apache-2.0
#include "train/async/async_worker_run.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <iostream>
#include <memory>

#include "base/timeout.h"
#include "c10d/init.h"
#include "c10d/pair.h"
#include "driver/async.h"
#include "gradwire/error.h"
#include "train/async/async_messages.h"
#include "train/config/async_rules.h"
#include "train/config/settings.h"
#include "train/join/async_meeting.h"
#include "train/launch/stop_signal.h"
#include "train/network/batches.h"
#include "train/network/network.h"

namespace gradwire::train {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

World WorldOf(const Config& config, const RankEnv& env) {
  World world = AloneWorld(config.comm.timeout_s);
  world.env.rank = env.rank;  // which may be the slow one
  return world;
}

/// What a worker computes with.
struct Bench {
  Bench(const Config& config, const RankEnv& env)
      : batches(config, RankEnv{}), network(WithoutExchange(config), WorldOf(config, env)) {}

  Batches batches;
  Network network;
};

class Worker {
 public:
  Worker(const Config& config, const Membership& member, const Welcome& welcome, Bench& bench)
      : bench_(bench),
        end_(bench.network, AsyncPartsOf(config), welcome.worker, welcome.token),
        pair_(member, PairPrefix(welcome.worker), Pair::End::kSecond, "the server (rank 0)"),
        most_(LongestMessage(bench.network.parameters())) {}

  /// Until the run is over. Returns the number of gradients.
  uint64_t Work() {
    auto idle_since = Clock::now();
    for (uint64_t done = 0;;) {
      const std::vector<std::byte> message = pair_.Receive(most_);
      const auto [note, body] = ParseMessage<ServerNote>(message);
      if (note.kind == ServerNote::Kind::kStop)
        return pair_.Send(MakeMessage(WorkerNote{WorkerNote::Kind::kBye})), done;
      if (note.kind == ServerNote::Kind::kNothing) {
        pair_.Send(MakeMessage(WorkerNote{}));
        continue;
      }
      Do(note, body, Since(idle_since));
      idle_since = Clock::now();
      ++done;
    }
  }

 private:
  void Do(const ServerNote& job, std::span<const std::byte> model, double waited) {
    const auto begin = Clock::now();
    const double encoded = end_.stats().encode_s;
    Batch batch = bench_.batches.Train(static_cast<int64_t>(job.number));
    bench_.network.SetBatch(std::move(batch.images), std::move(batch.labels));
    std::vector<std::byte> gradient;
    try {
      gradient = end_.Compute(model, job.lr);
    } catch (const PeerError&) {
      throw;
    } catch (const Error& error) {  // the run's failure, not this worker's
      const double loss = bench_.network.last_loss();
      const std::string why = std::string(error.what()) + ", where the loss was " + std::to_string(loss) +
                              "; a non-finite gradient wants a smaller optimizer.lr or lr_scheduler.warmup_epochs";
      return pair_.Send(MakeMessage(WorkerNote{WorkerNote::Kind::kFailed}, std::as_bytes(std::span(why))));
    }
    WorkerNote note{WorkerNote::Kind::kGradient, bench_.network.TakeTally()};
    note.encode_s = end_.stats().encode_s - encoded;
    note.compute_s = Since(begin) - note.encode_s;
    note.wait_s = waited;
    note.residual_norm = std::sqrt(end_.SquaredMemoryNorm("e"));
    pair_.Send(MakeMessage(note, gradient));
  }

  Bench& bench_;
  AsyncWorker<float> end_;
  Pair pair_;
  const size_t most_;
};

}  // namespace

RankEnv JoinEnv(const std::string& where) {
  RankEnv env{.rank = -1, .store_is_served = true};
  const size_t colon = where.rfind(':');
  const char* end = where.data() + where.size();
  if (colon != std::string::npos && colon > 0) {
    const auto [stopped, error] = std::from_chars(where.data() + colon + 1, end, env.master_port);
    if (error == std::errc{} && stopped == end && env.master_port > 0 && env.master_port < 65536) {
      env.master_addr = where.substr(0, colon);
      return env;
    }
  }
  throw ConfigError("command line: --join: found '" + where +
                    "', expected HOST:PORT, as the run that it joins prints it");
}

namespace {

int WorkFor(const Config& config, const RankEnv& env, Membership member) {
  if (env.rank > 0) Introduce(*member.store, env.rank, {"a worker", RankSettingsText(config)});
  if (env.rank != 0) FindServer(member);
  std::unique_ptr<Bench> bench;
  try {
    bench = std::make_unique<Bench>(config, env);
  } catch (const std::exception& error) {
    if (env.rank >= 0) ExcuseFrom(*member.store, env.rank, error.what());
    throw;
  }
  const Welcome welcome = Arrive(member, env.rank, MeetingText(config, bench->batches.data()));
  member.timeout = std::max(member.timeout, welcome.timeout);
  Worker worker(config, member, welcome, *bench);
  // A signal to all ranks ends the run by the server, which saves it first.
  const auto stop = config.checkpoint.is_on() && env.rank > 0 ? std::make_unique<StopSignal>() : nullptr;
  if (env.rank < 0) std::cout << "worker " << welcome.worker << ": has joined " << config.run.join << std::endl;
  const uint64_t done = worker.Work();
  if (env.rank < 0)
    std::cout << "worker " << welcome.worker << ": the run is over, after " << done << " gradients of mine"
              << std::endl;
  bench->network.ddp().Close();
  return stop && stop->received() != 0 ? 128 + stop->received() : 0;
}

}  // namespace

int RunAsyncWorker(const Config& config, const RankEnv& env) {
  const Membership member = ReachJob(env, Milliseconds(config.comm.timeout_s));
  KeepJob(member);
  return WorkFor(config, env, member);
}

OwnWorker::OwnWorker(const Config& config, const RankEnv& env, Membership member)
    : works_([&config, env, member = std::move(member)]() mutable {
        try {
          member.store = member.store->clone();
          WorkFor(config, env, member);
        } catch (const std::exception& error) {
          std::cerr << "worker " + std::to_string(env.rank) + ": error: " + error.what() + "\n" << std::flush;
        }
      }) {}

}  // namespace gradwire::train
