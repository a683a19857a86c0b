// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_run.h"

#include <thread>

#include "base/start_thread.h"
#include "base/timeout.h"
#include "collective/thread_collective.h"
#include "gradwire/method.h"
#include "train/config/modes.h"
#include "train/convex/convex_driver.h"
#include "train/convex/convex_measurement.h"
#include "train/loop/run_loop.h"

namespace gradwire::train {
namespace {

void Introduce(const Config& config, const ConvexDriver& driver, Report& report) {
  if (!report.is_heard()) return;
  for (const std::string& line : driver.Introduction()) report.Log(line);
  if (config.comm.noise > 0) report.Log(std::string(kNoiseNotice));
}

/// The first failure that is a cause and not the echo of another rank's; null where there is none.
std::exception_ptr Cause(const std::vector<std::exception_ptr>& failures) {
  std::exception_ptr echo;
  for (const std::exception_ptr& failure : failures) {
    if (!failure) continue;
    try {
      std::rethrow_exception(failure);
    } catch (const PeerError&) {
      if (!echo) echo = failure;
    } catch (...) {
      return failure;
    }
  }
  return echo;
}

}  // namespace

std::unique_ptr<ConvexDriver> MakeConvexDriver(const ConvexContext& context) {
  switch (ModeOf(context.config).driver) {
    case DriverKind::kRounds: return MakeConvexRounds(context);
    case DriverKind::kServer: return MakeConvexServer(context);
    case DriverKind::kNone: break;
  }
  throw ErrorAt(context.config, "train.mode", "has no driver for convex problems");
}

std::unique_ptr<StopSignal> StopOf(const Config& config) {
  return config.checkpoint.is_on() ? std::make_unique<StopSignal>() : nullptr;
}

int RunConvexRank(const Config& config, const ConvexSetup& setup, Collective& collective, Notes& notes,
                  const StopSignal* stop) {
  const ConvexParts parts = PartsOf(config, setup);
  const double lr = StepSizeOf(config, setup, parts);
  const ConvexContext context{config, setup, parts, lr, collective};
  const std::unique_ptr<ConvexDriver> driver = MakeConvexDriver(context);
  Checkpoints checkpoints(config, collective, notes);
  Report report = ReportOf(config, collective.rank(), checkpoints.OwnStep());
  ConvexMeasurement measurement(context, *driver, report.is_heard());
  Introduce(config, *driver, report);
  return RunLoop({config, *driver, measurement, report, checkpoints, ScheduleOf(config, lr), driver->steps_per_epoch(),
                  config.train.steps, stop})
      .Run();
}

int RunConvexThreads(const Config& config) {
  const auto workers = static_cast<size_t>(config.run.nproc);
  const ConvexSetup setup = PrepareConvex(config, workers);
  const size_t n = ModeOf(config).has_server ? 1 : workers;
  auto collectives = MakeThreadCollectives(static_cast<int>(n), Milliseconds(config.comm.timeout_s));
  ProcessNotes notes;
  const std::unique_ptr<StopSignal> stop = StopOf(config);
  std::vector<std::exception_ptr> failures(n);
  std::vector<int> codes(n);
  std::vector<std::thread> threads;
  const auto run = [&](size_t rank) {
    const std::unique_ptr<Collective> mine =
        std::move(collectives[rank]);  // closed with the thread, so that others end
    try {
      codes[rank] = RunConvexRank(config, setup, *mine, notes, stop.get());
    } catch (...) {
      failures[rank] = std::current_exception();
    }
  };
  for (size_t rank = 0; rank < n; ++rank) {
    try {
      threads.push_back(StartThread("for rank " + std::to_string(rank), [&run, rank] { run(rank); }));
    } catch (const Error&) {
      failures[rank] = std::current_exception();
      collectives[rank].reset();  // so that those that have started end
    }
  }
  for (std::thread& thread : threads) thread.join();
  if (const std::exception_ptr cause = Cause(failures)) std::rethrow_exception(cause);
  return codes[0];
}

}  // namespace gradwire::train
