// SPDX-License-Identifier: Apache-2.0
#include "train/report/introduction.h"

#include <fmt/format.h>

#include "gradwire/cost.h"
#include "gradwire/method.h"
#include "train/config/modes.h"

namespace gradwire::train {
namespace {

std::string DescribeRanks(const std::vector<std::string>& places) {
  std::string text = "ranks:";
  for (size_t rank = 0; rank < places.size(); ++rank)
    text += fmt::format("{} {} at {}", rank ? "," : "", rank, places[rank]);
  return text;
}

std::string DescribeLocal(const LocalConfig& local) {
  std::string text = local.random > 0
                         ? fmt::format("local: an agreement with probability {} after a step", local.random)
                         : fmt::format("local: an agreement every {} steps", local.sync_every);
  if (local.start_iter > 0) text += fmt::format(" from step {} on", local.start_iter);
  return text + "; batch norm's statistics are averaged with it";
}

std::string DescribeAnchor(const Config& config, const Dataset& data, size_t ranks) {
  const double epoch = static_cast<double>(data.train.size() / (static_cast<size_t>(config.data.batch_size) * ranks)),
               period =
                   config.objective.anchor_period > 0 ? static_cast<double>(config.objective.anchor_period) : epoch;
  return fmt::format(
      "anchor: a second pass over each batch, and one over the {} batches of an epoch each time it moves, "
      "once in {} steps: {:.3g} passes a step in all",
      epoch, period, 2 + epoch / period);
}

}  // namespace

std::vector<std::string> Introduction(const Config& config, const Dataset& data, const std::vector<std::string>& places,
                                      const std::vector<Parameter>& parameters, int64_t total_steps) {
  const Mode& mode = ModeOf(config);
  std::vector<std::string> lines = {"data: " + data.description};
  if (!mode.has_server) lines.push_back(DescribeRanks(places));
  lines.push_back(fmt::format("model: {}, {} parameters; method {}, compressor {}; {} steps of {} images{}",
                              config.model.name, Numel(parameters), MethodOf(config), CompressorOf(config), total_steps,
                              config.data.batch_size, mode.has_server ? "" : " a rank"));
  if (mode.is_local) lines.push_back(DescribeLocal(config.local));
  if (FindMethod(config.comm.method).is_anchored()) lines.push_back(DescribeAnchor(config, data, places.size()));
  if (config.comm.noise > 0) lines.emplace_back(kNoiseNotice);
  if (mode.has_server || mode.has_neighbours) return lines;
  const ExchangeParts parts = MakeParts(config.comm, config.run.seed);
  if (const auto notice = FactorNotice(parts, parameters)) lines.push_back(*notice);
  if (const auto notice = AggregateNotice(parts, places.size())) lines.push_back(*notice);
  if (const auto warning = CostWarning(parts, parameters, static_cast<int>(places.size())))
    lines.push_back("warning: " + *warning);
  return lines;
}

}  // namespace gradwire::train
