// SPDX-License-Identifier: Apache-2.0
#include "train/data/inputs.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "problem/named.h"
#include "train/config/image_sets.h"
#include "train/data/dataset.h"

namespace gradwire::train {
namespace {

void CheckFile(const Config& config, std::string_view key, const std::string& file, std::string_view expected) {
  errno = 0;
  const std::ifstream in(file);
  const std::string why = in ? "" : std::strerror(errno);
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(file, ignored);
  if (in && !is_folder) return;
  throw ErrorAt(config, key,
                fmt::format("found {}, which cannot be read ({}); expected {}", file,
                            is_folder ? "it is a folder" : why, expected));
}

/// A label that the last layer has no output for would end the run at the first batch that has it.
void CheckClasses(const Config& config) {
  if (!config.model.num_classes || *config.model.num_classes >= FindImages(config.data.dataset).classes) return;
  const Dataset data = LoadDataset(config.data.dataset, config.data.root);
  for (const ImageSet* set : {&data.train, &data.test})
    if (const auto largest = std::ranges::max_element(set->labels);
        largest != set->labels.end() && *largest >= *config.model.num_classes)
      throw ErrorAt(config, "model.num_classes",
                    fmt::format("found {}, expected at least {}: the images have labels up to {} ({})",
                                *config.model.num_classes, *largest + 1, *largest, data.description));
}

}  // namespace

void CheckInputs(const Config& config) {
  const ObjectiveConfig& objective = config.objective;
  if (TakesSamples(objective.name) && !IsNamed(objective.data))
    CheckFile(config, "objective.data", objective.data, DataOf(objective.name));
  if (!config.objective.is_network()) return;
  if (!config.model.init.empty())
    CheckFile(config, "model.init", config.model.init,
              "a file that Python's torch.save(model.state_dict(), FILE) wrote");
  if (const std::string why = MissingIn(config.data.dataset, config.data.root); !why.empty())
    throw ErrorAt(config, "data.root", why);
  CheckClasses(config);
}

}  // namespace gradwire::train
