// SPDX-License-Identifier: Apache-2.0
#include "train/bench/advise.h"

#include <array>
#include <fstream>
#include <iostream>
#include <optional>

#include <fmt/format.h>

#include "collective/thread_collective.h"
#include "exchange/topologies.h"
#include "gradwire/cost.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "measure/link.h"
#include "method/measure_costs.h"
#include "train/bench/advise_report.h"
#include "train/bench/model_shapes.h"
#include "train/bench/start_ranks.h"

namespace gradwire::train {
namespace {

constexpr double kLinkSeconds = 10, kOperatorsSeconds = 30;  // of the minute
constexpr double kNominalLatency = 1e-4;                     // s, of a link that is only said

std::vector<VariantSpec> SpecsOf(const AdviseOptions& options) {
  std::vector<std::string> words = options.compressors;
  if (words.empty())
    words = {"ef+sign", "ef+topk:1%", "ef+topk:0.1%", "dcgd+qsgd:127", "dcgd+qsgd:7", "dcgd+natural", "dcgd+fp16"};
  std::vector<VariantSpec> specs;
  for (const std::string& word : words) {
    specs.push_back(ParseVariant(word));
    const ExchangeParts parts = MakeParts(specs.back().comm, 0);
    if (parts.link.iterates)
      throw ConfigError(
          fmt::format("bench advise: --compressor {}: what sums of factors cost is not modelled; gradwire bench "
                      "exchange measures it",
                      word));
    if (parts.compressor->is_identity())
      throw ConfigError(
          fmt::format("bench advise: --compressor {}: compresses nothing; dense gradients are a line of "
                      "the table anyway",
                      word));
  }
  return specs;
}

void Check(const AdviseOptions& options) {
  const auto refuse = [](const std::string& what) { throw ConfigError("bench advise: " + what); };
  if (options.ranks < 2)
    refuse(fmt::format("--ranks {}: one rank exchanges nothing; expected 2 or more", options.ranks));
  if (options.ranks > 4096) refuse(fmt::format("--ranks {}: expected 4096 at most", options.ranks));
  if (options.ranks_per_host < 1 || options.ranks_per_host > options.ranks)
    refuse(fmt::format("--ranks-per-host {}: expected 1 to --ranks, {}", options.ranks_per_host, options.ranks));
  if (!(options.backward_ms >= 0)) refuse(fmt::format("--backward-ms {}: expected 0 or more", options.backward_ms));
  if (!options.rate.empty()) BitsPerSecond(options.rate);
  if (!options.rate.empty() && options.ranks_per_host == options.ranks)
    refuse("--rate: all ranks are on one host, whose link they do not use; expected fewer with --ranks-per-host");
  if (!options.json.empty() && !std::ofstream(options.json, std::ios::app))
    refuse(fmt::format("--json {}: cannot be written; expected a file in a folder that is there", options.json));
  SpecsOf(options);
}

/// The operators on all ranks of the collective at once, and what the model says of them.
std::vector<AdvisedRow> Judged(Collective& collective, const AdviseOptions& options, const ModelShapes& model,
                               const LinkCosts& link, int ranks_per_host) {
  const std::vector<VariantSpec> specs = SpecsOf(options);
  const int n = options.ranks;
  std::vector<AdvisedRow> rows;
  for (const VariantSpec& spec : specs) {
    const ExchangeParts parts = MakeParts(spec.comm, 0);
    Barrier(collective);
    const OperatorCosts mine =
        MeasureOperatorCosts(parts, Numel(model.parameters), n, kOperatorsSeconds / static_cast<double>(specs.size()));
    const std::array both = {mine.encode_s, mine.decode_s};
    const std::vector<double> slowest = LargestOf(collective, both);
    AdvisedRow row{spec.name,
                   {.ranks = n,
                    .ranks_per_host = ranks_per_host,
                    .link = link,
                    .dense_bytes = DenseRingBytes(model.parameters, n) / sizeof(float) * model.bytes_an_element,
                    .compressed_bytes = SentBytes(parts, model.parameters, n),
                    .is_summed = FindTopology(parts.topology).sums,
                    .encode_s = slowest[0],
                    .decode_s = slowest[1],
                    .backward_s = options.backward_ms / 1e3},
                   {}};
    row.answer = Judge(row.question);
    rows.push_back(std::move(row));
  }
  return rows;
}

void Say(const std::vector<AdvisedRow>& rows, const AdviseOptions& options, const std::string& link) {
  std::cout << AdviceText(rows, options, link) << std::flush;
  if (!options.json.empty()) std::ofstream(options.json) << AdviceJson(rows, options, link);
}

std::string InWords(const LinkCosts& link, const std::string& between) {
  return fmt::format("{}: messages {:.4g} MB/s each way, sums {:.4g} MB/s, latency {}", between, link.bytes_per_s / 1e6,
                     link.sum_bytes_per_s / 1e6, TimeText(link.latency_s));
}

int BeRank(const AdviseOptions& options, const ExchangeDoor& door, const RankEnv& env) {
  const ModelShapes model = ModelShapesOf(options.model, door.read_pt);
  door.with_ranks(options.timeout_s, env, [&](Collective& collective) {
    const auto sum = [&](std::span<float> values) { collective.Finish(collective.StartAllReduce(values)); };
    const LinkCosts link = MeasureLinkCosts(collective, sum, kLinkSeconds);
    const bool is_one_host = options.ranks_per_host == options.ranks;
    const auto rows = Judged(collective, options, model, link, is_one_host ? 1 : options.ranks_per_host);
    const std::string where = !options.is_started     ? "between all ranks of this job at once"
                              : !options.rate.empty() ? "between hosts with links of " + options.rate
                                                      : "over loopback, on this machine";
    if (env.rank == 0) Say(rows, options, InWords(link, where));
  });
  return 0;
}

/// The rate as it is said, and the operators on this process alone.
int Predict(const AdviseOptions& options, const ExchangeDoor& door, const std::string& why) {
  const double bytes = BitsPerSecond(options.rate) / 8;
  const LinkCosts link{kNominalLatency, bytes, kNominalLatency, bytes};
  const auto alone = MakeThreadCollectives(1, std::chrono::seconds(60));
  const ModelShapes model = ModelShapesOf(options.model, door.read_pt);
  Say(Judged(*alone[0], options, model, link, options.ranks_per_host), options,
      fmt::format("no link was measured ({}): {} is taken at its word, with {} of latency", why, options.rate,
                  TimeText(kNominalLatency)));
  return 0;
}

/// In a job that somebody else has started the ranks are all there, and the link is theirs.
AdviseOptions OfJob(AdviseOptions options, const std::optional<RankEnv>& env) {
  if (!env || options.is_started) return options;
  if (!options.rate.empty() || options.ranks_per_host != 1)
    throw ConfigError(
        "bench advise: --rate and --ranks-per-host are for ranks that it starts itself; this job's are there and are "
        "measured as they are; expected neither");
  options.ranks = env->world_size;
  return options;
}

}  // namespace

int BenchAdvise(const AdviseOptions& given, const ExchangeDoor& door) {
  const auto env = RankFromEnv();
  const AdviseOptions options = OfJob(given, env);
  Check(options);
  ModelShapesOf(options.model, door.read_pt);  // throws, before anything is started
  if (!door.with_ranks) {
    if (options.rate.empty())
      throw ConfigError(
          "bench advise: this build is without torch, over whose Gloo links are measured; expected --rate, as in "
          "--rate "
          "1gbit, which is then taken at its word, or a build with torch");
    return Predict(options, door, "this build is without torch");
  }
  // One process stands for each host; ranks of one host alone are all there.
  const int hosts = (options.ranks + options.ranks_per_host - 1) / options.ranks_per_host;
  const int started = std::min(hosts == 1 ? options.ranks : hosts, 4);
  if (env) return BeRank(options, door, *env);
  ExchangeDoor again = door;
  again.arguments.push_back(kStarted);
  try {
    return StartRanks(started, options.rate, options.timeout_s, again);
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    if (options.rate.empty()) throw;
    return Predict(options, door, error.what());
  }
}

}  // namespace gradwire::train
