// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "averaging/averagers.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

using Made = std::unique_ptr<Averaging>;
using Parts = AveragingParts;

Made AllReduce(const Parts& p) { return AverageGroups(MakeOneGroup(p.peers), /*needs_all=*/true); }
Made Ring(const Parts& p) { return AverageNeighbours(MakeRing(p.peers)); }
Made Push(const Parts& p) { return PushSum(p.peers); }
Made Pairs(const Parts& p) { return AverageGroups(MakePairs(p.peers, p.seed)); }
Made Random(const Parts& p) { return AverageGroups(MakeRandomGroups(p.peers, p.side, p.seed)); }
Made Cells(const Parts& p) { return AverageGroups(MakeGrid(p.peers, p.side, p.dims, p.seed)); }
Made Keys(const Parts& p) {
  return AverageGroups(MakeMoshpit(p.peers, p.side, p.dims, p.seed, *p.registry, p.lifetime));
}

constexpr std::string_view kMoshpitPaper = "Ryabinin et al. 2021, arXiv 2103.03239";

}  // namespace

const std::vector<AveragingMethod>& AveragingMethods() {
  static const std::vector<AveragingMethod> methods = {
      {"allreduce", "one group; where a peer fails, nobody gets the mean", "", AllReduce},
      {"gossip", "with a neighbour on each side of a ring", "", Ring},
      {"push_sum", "thirds to the peers 2^h and 2^(h+1) places on, with weights",
       "Assran et al. 2019, arXiv 1811.10792", Push},
      {"pairs", "a common random permutation's", "Kolehmainen et al. 2025, arXiv 2506.10911", Pairs},
      {"random", "groups of a common random permutation", kMoshpitPaper, Random},
      {"grid", "peers at random cells, lines of each dimension in turn", kMoshpitPaper, Cells},
      {"moshpit", "groups by keys of the indices in the groups before", kMoshpitPaper, Keys}};
  return methods;
}

const AveragingMethod& FindAveragingMethod(std::string_view name) {
  std::vector<std::string_view> names;
  for (const AveragingMethod& method : AveragingMethods()) {
    if (method.name == name) return method;
    names.push_back(method.name);
  }
  throw ConfigError("methods", fmt::format("found '{}', expected some of {}", name, fmt::join(names, ", ")));
}

}  // namespace gradwire
