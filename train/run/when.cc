// SPDX-License-Identifier: Apache-2.0
#include "train/run/when.h"

#include "gradwire/method.h"
#include "method/ask.h"
#include "train/config/modes.h"

namespace gradwire::train {
namespace {

constexpr const char *kEntry = "comm.when", *kPays = "pays", *kDense = "dense", *kCompress = "compress";
constexpr double kLookSeconds = 0.5;  // for a line that changes nothing

}  // namespace

std::optional<WhenAnswer> AnswerIn(const Config& config, const ResumePoint& point) {
  if (config.comm.when != kPays || !point.save) return std::nullopt;
  const Snapshot& file = point.save->files[0];
  const std::string word = file.Text(kEntry);
  if (word != kDense && word != kCompress)
    throw Error(file.path() + ": '" + kEntry + "' is '" + word + "', expected dense or compress");
  return WhenAnswer{true, word == kCompress, "comm.when: pays: " + word + ", as in " + point.save->folder};
}

Config Answered(Config config, const std::optional<WhenAnswer>& answer) {
  if (!answer) return config;
  config.comm = After(config.comm, *answer);
  config.comm.compressor = MakeParts(config.comm, 0).compressor->spec();
  return config;
}

std::string LineAboutWhen(const Config& config, const World& world, const Network& network, const WhenAnswer& answer,
                          bool begins_anew) {
  if (answer.is_asked || !begins_anew || !CanStayDense(config)) return answer.reason;
  return AskWhen(*world.metrics_collective, config.comm, {network.parameters()}, kLookSeconds).reason;
}

void PutAnswer(const Config& config, Snapshot& file) {
  if (config.comm.when != kPays) return;
  const std::string word = config.comm.method == "none" ? kDense : kCompress;
  file.Put(kEntry, std::span<const char>(word));
}

}  // namespace gradwire::train
