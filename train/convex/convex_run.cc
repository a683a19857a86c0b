// SPDX-License-Identifier: Apache-2.0
#include "train/convex/convex_run.h"

#include "gradwire/method.h"
#include "train/config/modes.h"
#include "train/convex/averaged.h"
#include "train/convex/convex_driver.h"
#include "train/convex/convex_measurement.h"
#include "train/loop/run_loop.h"

namespace gradwire::train {
namespace {

void Introduce(const Config& config, const ConvexSetup& setup, const ConvexDriver& driver, Report& report) {
  if (!report.is_heard()) return;
  for (const std::string& note : setup.notes) report.Log(note);
  for (const std::string& line : driver.Introduction()) report.Log(line);
  if (config.comm.noise > 0) report.Log(std::string(kNoiseNotice));
}

std::unique_ptr<ConvexDriver> MakeSteps(const ConvexContext& context) {
  switch (ModeOf(context.config).driver) {
    case DriverKind::kRounds: return MakeConvexRounds(context);
    case DriverKind::kServer: return MakeConvexServer(context);
    case DriverKind::kNewton: return MakeConvexNewton(context);
    case DriverKind::kGossip: return MakeConvexGossip(context);
    case DriverKind::kNone: break;
  }
  throw ErrorAt(context.config, "train.mode", "has no driver for convex problems");
}

/// A run of these ranks' workers, with a collective where others are elsewhere.
int Run(const Config& config, const ConvexSetup& setup, Collective* collective, const Ranks& ranks, Notes& notes,
        const StopSignal* stop) {
  const ConvexParts parts = PartsOf(config, setup);
  const double lr = StepSizeOf(config, setup, parts);
  const ConvexContext context{config, setup, parts, lr, collective};
  const std::unique_ptr<ConvexDriver> driver = MakeConvexDriver(context);
  Checkpoints checkpoints(config, ranks, notes);
  Report report = ReportOf(config, ranks.own().front(), checkpoints.OwnStep());
  ConvexMeasurement measurement(context, *driver, report.is_heard());
  Introduce(config, setup, *driver, report);
  return RunLoop({config, *driver, measurement, report, checkpoints, ScheduleOf(config, lr), driver->steps_per_epoch(),
                  config.train.steps, stop})
      .Run();
}

}  // namespace

std::unique_ptr<ConvexDriver> MakeConvexDriver(const ConvexContext& context) {
  std::unique_ptr<ConvexDriver> driver = MakeSteps(context);
  const Config& config = context.config;
  return config.log.average == "none" ? std::move(driver) : AverageOf(std::move(driver), config.lr_scheduler.shift);
}

std::unique_ptr<StopSignal> StopOf(const Config& config) {
  return config.checkpoint.is_on() ? std::make_unique<StopSignal>() : nullptr;
}

int RunConvexRank(const Config& config, const ConvexSetup& setup, Collective& collective, Notes& notes,
                  const StopSignal* stop) {
  return Run(config, setup, &collective, collective, notes, stop);
}

int RunConvexThreads(const Config& config) {
  const ConvexSetup setup = PrepareConvex(config, static_cast<size_t>(config.run.nproc));
  ProcessNotes notes;
  const std::unique_ptr<StopSignal> stop = StopOf(config);
  return Run(config, setup, nullptr, Ranks(ModeOf(config).has_server ? 1 : config.run.nproc), notes, stop.get());
}

}  // namespace gradwire::train
