// SPDX-License-Identifier: Apache-2.0
#include "method/ask.h"

#include <array>
#include <string>

#include <fmt/format.h>

#include "exchange/agree.h"
#include "exchange/topologies.h"
#include "gradwire/cost.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "measure/link.h"

namespace gradwire {
namespace {

constexpr std::string_view kPays = "pays", kAlways = "always", kAuto = "auto";

// Of the time that the question may take: the rest is left to machines with other work, on which what was quick may
// take twice as long the next time.
constexpr double kLinkShare = 0.35, kOperatorShare = 0.15;

std::string NameOf(const ExchangeParts& parts) { return parts.method + " + " + parts.compressor->spec(); }

/// What needs no measurement; empty where there is something to measure.
std::string Plain(const ExchangeParts& parts, int ranks) {
  if (ranks < 2) return "comm.when: one rank has nobody to send gradients to";
  if (parts.compressor->is_identity()) return fmt::format("comm.when: {} compresses nothing", NameOf(parts));
  return "";
}

/// Why its cost is not known before it runs; empty where it is.
std::string Open(const ExchangeParts& parts) {
  if (parts.link.iterates) return "what sums of factors cost is not measured";
  if (parts.compressor->variable() || (parts.down_compressor && parts.down_compressor->variable()))
    return fmt::format("what {} sends depends on the gradients", NameOf(parts));
  return "";
}

/// Rank 0's, on all ranks: the numbers are the same, and hosts may still round them differently.
WhenAnswer OfRank0(Collective& collective, const WhenAnswer& mine) {
  const std::string said = collective.GatherText((mine.compresses ? "1" : "0") + mine.reason)[0];
  if (said.empty() || (said[0] != '0' && said[0] != '1'))
    throw PeerError(0, "rank 0 says '" + said.substr(0, 100) + "', expected what comm.when comes to");
  return {mine.is_asked, said[0] == '1', said.substr(1)};
}

}  // namespace

bool PaysIsAsked(const CommConfig& config) {
  if (config.when != kAuto) return config.when == kPays;
  return config.noise == 0 && config.aggregate == "mean" && config.method == kAuto && config.compressor == kAuto &&
         config.learner == kAuto && config.down_compressor == kAuto;
}

CommConfig Settled(CommConfig config) {
  config.when = PaysIsAsked(config) ? kPays : kAlways;
  if (config.method == kAuto) config.method = kUsualMethod;
  return config;
}

CommConfig DenseOf(const CommConfig& config) {
  return {.method = "none",
          .when = config.when,
          .bucket_cap_mb = config.bucket_cap_mb,
          .threads = config.threads,
          .timeout_s = config.timeout_s};
}

WhenAnswer AnswerBy(const CommConfig& config, const PaysJob& job, int ranks, const LinkCosts& link,
                    const OperatorCosts& operators) {
  const ExchangeParts parts = MakeParts(config, 0);
  const uint64_t dense = DenseRingBytes(job.parameters, ranks) / sizeof(float) * job.bytes_an_element;
  const CostAnswer cost = Judge({.ranks = ranks,
                                 .link = link,
                                 .dense_bytes = dense,
                                 .compressed_bytes = SentBytes(parts, job.parameters, ranks),
                                 .is_summed = FindTopology(parts.topology).sums,
                                 .encode_s = operators.encode_s,
                                 .decode_s = operators.decode_s});
  const bool asked = PaysIsAsked(config);
  if (asked)
    return {true, cost.pays,
            fmt::format("comm.when: pays: {} {}: {}", NameOf(parts),
                        cost.pays ? "is taken" : "would lose, so that gradients stay dense", cost.reason)};
  if (cost.compressed_s <= cost.dense_s) return {};
  return {false, true,
          fmt::format("comm.when: {} is named and taken, where dense would be faster: {}; comm.when: pays stays dense "
                      "there",
                      NameOf(parts), cost.reason)};
}

WhenAnswer AskWhen(Collective& collective, const CommConfig& config, const PaysJob& job, double seconds) {
  const ExchangeParts parts = MakeParts(config, 0);
  const int ranks = collective.size();
  const bool asked = PaysIsAsked(config);
  if (const std::string plain = Plain(parts, ranks); !plain.empty()) return {asked, !asked, asked ? plain : ""};
  Agree(collective, fmt::format("comm.when: {}, {}\n", Settled(config).when, NameOf(parts)));
  if (const std::string open = Open(parts); !open.empty())
    return {asked, true, asked ? fmt::format("comm.when: pays: {}: {} is taken", open, NameOf(parts)) : ""};
  const auto sum = [&](std::span<float> values) { collective.Finish(collective.StartAllReduce(values)); };
  const LinkCosts link = MeasureLinkCosts(collective, job.sum ? job.sum : DenseSum(sum), seconds * kLinkShare);
  Barrier(collective);
  const OperatorCosts mine = MeasureOperatorCosts(parts, Numel(job.parameters), ranks, seconds * kOperatorShare);
  const std::array both = {mine.encode_s, mine.decode_s};
  const std::vector<double> slowest = LargestOf(collective, both);
  return OfRank0(collective, AnswerBy(config, job, ranks, link, {slowest[0], slowest[1]}));
}

}  // namespace gradwire
