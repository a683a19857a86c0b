// SPDX-License-Identifier: Apache-2.0
// A network's run, from the configuration to its end: join the job, agree on the save to go on from, load the images
// and compare them, build the network, open the files of the report (last, because it may overwrite an earlier run's,
// and the others may fail), make the driver of the mode, and hand all of it to the run loop. A server's run is the same
// on a world of one rank; its workers take RunAsyncWorker.
#include "train/run/trainer.h"

#include <memory>
#include <optional>
#include <string>

#include "exchange/agree.h"
#include "train/async/async_worker_run.h"
#include "train/config/async_rules.h"
#include "train/config/modes.h"
#include "train/config/settings.h"
#include "train/convex/convex_run.h"
#include "train/join/async_meeting.h"
#include "train/loop/run_loop.h"
#include "train/report/introduction.h"
#include "train/run/network_measurement.h"
#include "train/run/when.h"

namespace gradwire::train {
namespace {

/// Throws ConfigError where the ranks' images are not the same: their folders may be different ones.
Batches LoadBatches(const Config& config, const World& world) {
  Batches batches(config, world.env);
  Agree(*world.metrics_collective, DataText(batches.data()));
  return batches;
}

/// Ranks that speak to neighbours have a model, and know their neighbours', each.
void CheckRanks(const Config& config, const Save& save) {
  if (!ModeOf(config).has_neighbours || !save.other_world) return;
  throw ErrorAt(config, "run.nproc",
                save.folder + " was saved by " + std::to_string(save.files.size()) +
                    " ranks; expected as many, because train.mode is " + config.train.mode + " (" +
                    config.PlaceOf("train.mode") + ")");
}

/// Trains a network, as one of the ranks or as their server.
int TrainNetwork(const Config& config, const RankEnv& env) {
  const bool has_server = ModeOf(config).has_server;
  const Config network_config = has_server || ModeOf(config).has_neighbours ? WithoutExchange(config) : config;
  World world = (has_server ? ServerWorld : JoinWorld)(env, config.comm.timeout_s, RankSettingsText(config));
  StoreNotes notes(world);
  Checkpoints checkpoints(config, *world.metrics_collective, notes);
  Batches batches = LoadBatches(config, world);
  const std::optional<WhenAnswer> kept = AnswerIn(config, checkpoints.resume_point());
  Network network(Answered(network_config, kept), world, /*asks=*/!kept);
  const WhenAnswer answer = kept ? *kept : network.ddp().answer();
  const Config running = answer.is_asked ? Answered(config, answer) : config;
  const std::string about_when =
      LineAboutWhen(config, world, network, answer, !checkpoints.resume_point().save.has_value());
  const NetworkContext context{running, env, world, network, batches};
  std::vector<std::string> early;  // of the driver, before there is a report
  std::optional<Report> heard;     // outlives the driver, which may write until it ends
  auto driver = MakeNetworkDriver(
      context, [&heard, &early](const std::string& line) { heard ? heard->Log(line) : early.push_back(line); });
  if (checkpoints.resume_point().save) CheckRanks(config, *checkpoints.resume_point().save);
  heard.emplace(ReportOf(config, env.rank, checkpoints.OwnStep()));  // begins its files anew: after what may fail
  Report& report = *heard;
  const int64_t per_epoch = batches.per_epoch();
  const int64_t steps = config.train.steps > 0 ? config.train.steps : config.train.epochs * per_epoch;
  if (report.is_heard())
    for (const std::string& line : Introduction(running, batches.data(), world.places, network.parameters(), steps))
      report.Log(line);
  if (report.is_heard() && !about_when.empty()) report.Log(about_when);
  for (const std::string& line : early) report.Log(line);
  NetworkMeasurement measurement(context, *driver, report.is_heard());
  RunLoop run(
      {config, *driver, measurement, report, checkpoints, ScheduleOf(config, config.optimizer.lr), per_epoch, steps});
  const int exit_code = run.Run();
  driver.reset();
  network.ddp().Close();
  Leave(world);
  return exit_code;
}

int RunConvexProcess(const Config& config, const RankEnv& env) {
  const ConvexSetup setup = PrepareConvex(config, static_cast<size_t>(env.world_size));
  const World world = JoinWorld(env, config.comm.timeout_s, RankSettingsText(config));
  StoreNotes notes(world);
  const std::unique_ptr<StopSignal> stop = StopOf(config);
  const int exit_code = RunConvexRank(config, setup, *world.metrics_collective, notes, stop.get());
  Leave(world);
  return exit_code;
}

}  // namespace

std::unique_ptr<NetworkDriver> MakeNetworkDriver(const NetworkContext& context,
                                                 std::function<void(const std::string&)> log) {
  switch (ModeOf(context.config).driver) {
    case DriverKind::kRounds: return MakeNetworkRounds(context);
    case DriverKind::kServer: return MakeNetworkServer(context, std::move(log));
    case DriverKind::kGossip: return MakeNetworkGossip(context, log);
    case DriverKind::kNewton:  // of convex problems only, as is said where the file is loaded
    case DriverKind::kNone: break;
  }
  throw ErrorAt(context.config, "train.mode", "has no driver for networks");
}

int RunAsRank(const Config& config, const RankEnv& env) {
  if (!config.objective.is_network()) return RunConvexProcess(config, env);
  if (env.rank >= 0 && config.train.slow_rank >= env.world_size)
    throw ErrorAt(config, "train.slow_rank",
                  "found " + std::to_string(config.train.slow_rank) + ", expected a rank below their number, " +
                      std::to_string(env.world_size));
  if (ModeOf(config).has_server && env.rank != 0) return RunAsyncWorker(config, env);
  return TrainNetwork(config, env);
}

}  // namespace gradwire::train
