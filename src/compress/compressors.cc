// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "compress/operator.h"
#include "compress/spec.h"

namespace gradwire {
namespace {

struct Entry {
  std::string_view name;
  std::shared_ptr<const Compressor> (*make)(std::string_view argument);
  CompressorInfo info;
};

/// The list of operators: a new one is its file and one entry here.
const std::vector<Entry>& Entries() {
  static const std::vector<Entry> entries = {
      {"identity", MakeIdentity, {"identity", "every element, exactly: 4 bytes each", "", {"identity"}}},
      {"fp16", MakeFp16,
       {"fp16", "IEEE half precision with a power-of-two scale a piece: 2 bytes an element", "IEEE 754-2008", {"fp16"}}},
      {"bf16", MakeBf16,
       {"bf16", "bfloat16 with a power-of-two scale a piece: 2 bytes an element", "Kalamkar et al. 2019, arXiv 1905.12322",
        {"bf16"}}},
      {"sign", MakeSign,
       {"sign", "sign, times the mean magnitude of 1,024 elements: 1.03 bits an element",
        "Karimireddy et al. 2019, arXiv 1901.09847", {"sign"}}},
      {"topk", MakeTopK,
       {"topk:K | topk:P%", "the K (or P %) largest elements of each parameter: 6 bytes each",
        "Aji & Heafield 2017, arXiv 1704.05021", {"topk:1%", "topk:5", "topk:100%"}}},
      {"randk", MakeRandK,
       {"randk:K | randk:P% [:common] [:unscaled]", "K (or P %) elements of each parameter, drawn at random: 4 bytes each",
        "Stich et al. 2018, arXiv 1809.07599", {"randk:10%", "randk:5", "randk:10%:common", "randk:75%:common:unscaled"}}},
      {"qsgd", MakeQsgd,
       {"qsgd:S", "random rounding to S levels of the 2-norm: qsgd:7 4 bits an element, qsgd:127 8",
        "Alistarh et al. 2017, arXiv 1610.02132", {"qsgd:7", "qsgd:127"}}},
      {"dithering", MakeDithering,
       {"dithering:P:S", "random rounding to S levels of the P-norm, P = 1, 2 or inf",
        "Mishchenko et al. 2019, arXiv 1901.09269", {"dithering:inf:7", "dithering:1:4", "dithering:2:1"}}},
      {"terngrad", MakeTernGrad,
       {"terngrad[:clip]", "-1, 0 or 1 times the largest magnitude, clip: at most 2.5 deviations; 1.6 bits an element",
        "Wen et al. 2017, arXiv 1705.07878", {"terngrad", "terngrad:clip"}}},
      {"natural", MakeNatural,
       {"natural", "random rounding to a power of two: 9 bits an element", "Horvath et al. 2022, arXiv 1905.10988",
        {"natural"}}},
      {"natural_dithering", MakeNaturalDithering,
       {"natural_dithering:P:S", "random rounding to P-norm times 1, 1/2, ..., 2^(1-S) or 0: S = 7 takes 4 bits an element",
        "Horvath et al. 2022, arXiv 1905.10988", {"natural_dithering:2:7"}}},
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
  const size_t colon = spec.find(':');
  const std::string_view name = spec.substr(0, colon);
  const std::string_view argument = colon == spec.npos ? "" : spec.substr(colon + 1);
  std::vector<std::string_view> names;
  for (const Entry& entry : Entries()) {
    if (entry.name == name) return entry.make(argument);
    names.push_back(entry.name);
  }
  const std::string_view near = Nearest(name, names);
  throw ConfigError(fmt::format("compressor '{}': unknown{}; expected one of {}", spec,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

}  // namespace gradwire
