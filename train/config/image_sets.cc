// SPDX-License-Identifier: Apache-2.0
#include "train/config/image_sets.h"

#include <algorithm>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire::train {

const std::vector<NamedImages>& AllNamedImages() {
  static const std::vector<NamedImages> sets = {
      {"cifar10", 10},
      {"cifar100", 100},
      {"mnist", 10},
      {"fashion_mnist", 10},
      {"synthetic", 10, true},
      {"synthetic100", 100, true},
      {"synthetic_grey", 10, true},
  };
  return sets;
}

const NamedImages& FindImages(std::string_view dataset) {
  const auto found = std::ranges::find(AllNamedImages(), dataset == "auto" ? "cifar10" : dataset, &NamedImages::name);
  if (found == AllNamedImages().end())
    throw ConfigError("data.dataset",
                      fmt::format("expected one of {}, found '{}'", fmt::join(DatasetNames(), ", "), dataset));
  return *found;
}

std::vector<std::string> DatasetNames() {
  std::vector<std::string> names = {"auto"};
  for (const NamedImages& set : AllNamedImages()) names.emplace_back(set.name);
  return names;
}

}  // namespace gradwire::train
