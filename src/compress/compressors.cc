// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/text.h"
#include "compress/operator.h"
#include "compress/spec.h"
#include "kernels/kernels.h"

namespace gradwire {

/// What each operator's file defines: makes the operator from what stands behind the colon, or empty, or in the
/// parentheses.
using Maker = std::shared_ptr<const Compressor>(std::string_view argument);
Maker MakeIdentity, MakeFp16, MakeBf16, MakeSign, MakeStochasticSign, MakeTopK, MakeRandK, MakeRandSeqK, MakeRank,
    MakeQsgd, MakeDithering, MakeTernGrad, MakeNatural, MakeNaturalDithering, MakeNuRand1, MakeNuRandK, MakeBernoulli,
    MakeThreshold, MakeAdaptive, MakeClip, MakeCoins, MakeSteps, MakeRotated, MakeInduced, MakeThen, MakeScaled,
    MakeUnscale, MakeCompose, MakeSmooth;

namespace {

struct Entry {
  std::string_view name;
  Maker* make;
  CompressorInfo info;

  /// Whether its arguments are operators, in parentheses.
  bool combines() const { return info.syntax.find('(') != info.syntax.npos; }
};

/// The list of operators: a new one is its file, its maker above and one entry here.
const std::vector<Entry>& Entries() {
  static const std::vector<Entry> entries = {
      {"identity", MakeIdentity, {"identity", "every element, exactly: 4 bytes each", "", {"identity"}}},
      {"fp16",
       MakeFp16,
       {"fp16",
        "IEEE half precision with a power-of-two scale a piece: 2 bytes an element",
        "IEEE 754-2008",
        {"fp16"}}},
      {"bf16",
       MakeBf16,
       {"bf16",
        "bfloat16 with a power-of-two scale a piece: 2 bytes an element",
        "Kalamkar et al. 2019, arXiv 1905.12322",
        {"bf16"}}},
      {"sign",
       MakeSign,
       {"sign[:exact | :plain]",
        "sign times the mean magnitude of 1,024 elements (exact: of the piece; plain: 1): 1.03 bits an element",
        "Karimireddy et al. 2019, arXiv 1901.09847; Bernstein et al. 2018, arXiv 1802.04434",
        {"sign", "sign:exact", "sign:plain"}}},
      {"ssign",
       MakeStochasticSign,
       {"ssign[:norm]",
        "a sign drawn so that its mean is the direction, or with norm the vector: 1 bit an element",
        "Safaryan & Richtarik 2021, arXiv 1905.12938",
        {"ssign", "ssign:norm"}}},
      {"topk",
       MakeTopK,
       {"topk:K | topk:P% | topk:Rd [:counted]",
        "the K (or P %, or R times a matrix's order d) largest elements of each parameter: 5.1 bytes each at 1 %; "
        "counted: of links that may want fewer",
        "Aji & Heafield 2017, arXiv 1704.05021",
        {"topk:1%", "topk:5", "topk:100%", "topk:1%:counted"}}},
      {"randk",
       MakeRandK,
       {"randk:K | randk:P% [:common] [:unscaled] [:sent]",
        "K (or P %) elements of each parameter, drawn at random: 4 bytes each, sent: with their positions",
        "Stich et al. 2018, arXiv 1809.07599",
        {"randk:10%", "randk:5", "randk:10%:common", "randk:75%:common:unscaled", "randk:10%:sent",
         "randk:1%:unscaled:sent"}}},
      {"randseqk",
       MakeRandSeqK,
       {"randseqk:K | randseqk:P%",
        "K (or P %) consecutive elements of each parameter, from one drawn at random: 4 bytes each",
        "Burlachenko & Richtarik 2024, arXiv 2410.08760",
        {"randseqk:10%", "randseqk:5"}}},
      {"rank",
       MakeRank,
       {"rank:R",
        "the nearest matrix of rank R, of pieces that are matrices (comm.piece: matrix): 4 R (rows + cols) bytes",
        "Safaryan et al. 2022, arXiv 2106.02969",
        {"rank:1", "rank:4"}}},
      {"qsgd",
       MakeQsgd,
       {"qsgd:S [:block=B]",
        "random rounding to S levels of the 2-norm of 1,024 elements, or B: qsgd:7 4 bits an element, qsgd:127 8",
        "Alistarh et al. 2017, arXiv 1610.02132",
        {"qsgd:7", "qsgd:127", "qsgd:7:block=128"}}},
      {"dithering",
       MakeDithering,
       {"dithering:P:S [:block=B]",
        "random rounding to S levels of the P-norm, P = 1, 2 or inf, of 1,024 elements, or B",
        "Mishchenko et al. 2019, arXiv 1901.09269",
        {"dithering:inf:7", "dithering:1:4", "dithering:2:1", "dithering:2:1:block=32"}}},
      {"terngrad",
       MakeTernGrad,
       {"terngrad[:clip] [:block=B]",
        "-1, 0 or 1 times the largest magnitude of 1,024 elements, or B, clip: at most 2.5 deviations; 1.6 bits an "
        "element",
        "Wen et al. 2017, arXiv 1705.07878",
        {"terngrad", "terngrad:clip", "terngrad:block=256", "terngrad:clip:block=512"}}},
      {"natural",
       MakeNatural,
       {"natural",
        "random rounding to a power of two: 9 bits an element",
        "Horvath et al. 2022, arXiv 1905.10988",
        {"natural"}}},
      {"natural_dithering",
       MakeNaturalDithering,
       {"natural_dithering:P:S",
        "random rounding to P-norm times 1, 1/2, ..., 2^(1-S) or 0: S = 7 takes 4 bits an element",
        "Horvath et al. 2022, arXiv 1905.10988",
        {"natural_dithering:2:7"}}},
      {"nu_rand1",
       MakeNuRand1,
       {"nu_rand1",
        "one element of each piece, drawn by its magnitude",
        "Horvath & Richtarik 2021, arXiv 2006.11077",
        {"nu_rand1"}}},
      {"nu_randk",
       MakeNuRandK,
       {"nu_randk:K | nu_randk:P%",
        "about K (or P %) elements, drawn by their magnitudes: 5.1 bytes each at 1 %",
        "Wangni et al. 2018, arXiv 1710.09854",
        {"nu_randk:10%"}}},
      {"bernoulli",
       MakeBernoulli,
       {"bernoulli:P",
        "all elements with probability P, else nothing",
        "Richtarik et al. 2022, arXiv 2202.00998",
        {"bernoulli:0.25"}}},
      {"threshold",
       MakeThreshold,
       {"threshold:L",
        "the elements of magnitude L or more: 5.1 bytes each at 1 %",
        "Dutta et al. 2020, arXiv 1911.08250",
        {"threshold:0.5"}}},
      {"adaptive",
       MakeAdaptive,
       {"adaptive:L",
        "the elements of at least L times the largest magnitude, L up to 1: 5.1 bytes each at 1 %",
        "Islamov et al. 2022, arXiv 2206.03588",
        {"adaptive:0.5"}}},
      {"coins",
       MakeCoins,
       {"coins:K | coins:P%",
        "each element by a coin of its own, K (or P %) in the mean, times 1 / chance; 4 bytes each",
        "Safaryan et al. 2021, arXiv 2102.07245",
        {"coins:1", "coins:10%"}}},
      {"steps",
       MakeSteps,
       {"steps[:S]",
        "rounded at random to S levels of the norm of the piece, S any number (else sqrt(d)), in Elias' code",
        "Alistarh et al. 2017, arXiv 1610.02132; Wang et al. 2022, arXiv 2106.03524",
        {"steps", "steps:2.5"}}},
      {"clip",
       MakeClip,
       {"clip:T[:piece]",
        "the whole gradient, or with :piece each piece, shortened to the norm T: 4 bytes an element",
        "Khirirat et al. 2023, arXiv 2305.18929",
        {"clip:1", "clip:1:piece"}}},
      {"induced",
       MakeInduced,
       {"induced(A,B)",
        "A, then unbiased B of what A leaves out: unbiased",
        "Horvath & Richtarik 2021, arXiv 2006.11077",
        {"induced(topk:10%,randk:10%)", "induced(sign,qsgd:7)"}}},
      {"then",
       MakeThen,
       {"then(A,B)",
        "A, then B of what A leaves out, both contractive: contractive",
        "Richtarik et al. 2022, arXiv 2202.00998",
        {"then(topk:1%,sign)", "then(unscale(qsgd:7),topk:10%)"}}},
      {"scaled", MakeScaled, {"scaled(A,c)", "c times A", "", {"scaled(topk:10%,0.5)"}}},
      {"unscale",
       MakeUnscale,
       {"unscale(A)",
        "A times the factor that makes it contractive: of unbiased A 1 / (1 + omega)",
        "Beznosikov et al. 2023, arXiv 2002.12410",
        {"unscale(qsgd:7)", "unscale(compose(qsgd:7,topk:10%))"}}},
      {"rotate",
       MakeRotated,
       {"rotate(A)",
        "A in another orthonormal basis, drawn from the seed; of symmetric matrices on both sides",
        "Islamov et al. 2022, arXiv 2206.03588",
        {"rotate(topk:10%)", "rotate(randk:10%)"}}},
      {"compose",
       MakeCompose,
       {"compose(A,B)",
        "A of what B gives",
        "",
        {"compose(qsgd:7,randk:10%)", "compose(unscale(qsgd:7),topk:10%)", "compose(fp16,topk:10%)"}}},
      {"smooth",
       MakeSmooth,
       {"smooth(coins:K[:uniform | :diana] | steps[:S][:uniform | :diana] | blocks[:S][:diana])",
        "coins or steps weighed by each worker's smoothness matrix, of its square root's image; convex problems",
        "Safaryan et al. 2021, arXiv 2102.07245; Wang et al. 2022, arXiv 2106.03524",
        {"smooth(coins:10%)", "smooth(coins:10%:diana)", "smooth(steps)", "smooth(blocks:2.5:diana)"}}},
  };
  return entries;
}

}  // namespace

const std::vector<CompressorInfo>& Compressors() {
  static const std::vector<CompressorInfo> infos = [] {
    std::vector<CompressorInfo> list;
    for (const Entry& entry : Entries()) list.push_back(entry.info);
    return list;
  }();
  return infos;
}

std::shared_ptr<const Compressor> ParseCompressor(std::string_view spec) {
  CheckSize(spec);
  kernels::ActiveIsa();  // what the environment forces is refused here, before anything runs
  const size_t end = spec.find_first_of(":(");
  const std::string_view name = spec.substr(0, end);
  const bool combines = end != spec.npos && spec[end] == '(';
  std::string_view argument = end == spec.npos ? "" : spec.substr(end + 1);
  std::vector<std::string_view> names;
  for (const Entry& entry : Entries()) {
    names.push_back(entry.name);
    if (entry.name != name) continue;
    if (combines != entry.combines() || (combines && !argument.ends_with(')')))
      throw ConfigError(fmt::format("compressor '{}': expected {}", Shown(spec), entry.info.syntax));
    if (combines) argument.remove_suffix(1);
    return entry.make(argument);
  }
  const std::string_view near = Nearest(name, names);
  throw ConfigError(fmt::format("compressor '{}': unknown{}; expected one of {}", Shown(spec),
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

}  // namespace gradwire
