// SPDX-License-Identifier: Apache-2.0
#include "train/bench/exchange_options.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "compress/spec.h"
#include "config/comm_keys.h"
#include "gradwire/abilities.h"
#include "gradwire/error.h"
#include "gradwire/method.h"

namespace gradwire::train {
namespace {

bool IsMethod(std::string_view word) {
  return std::ranges::any_of(Methods(), [&](const Method& method) { return method.name == word; });
}

template <typename Number>
bool Read(std::string_view text, Number& number, std::string_view& rest) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  rest = text.substr(static_cast<size_t>(end - text.data()));
  return error == std::errc{};
}

/// What is wrong with settings, behind the words that have them.
void CheckComm(const CommConfig& comm, const std::string& place) {
  try {
    Check(comm);
    CheckGiven(comm, {}, "a DistributedDataParallel");
    if (MakeParts(comm, 0).steps_inside())
      throw ConfigError("comm.method: " + comm.method + " needs the step size of an optimizer, and there is none here");
  } catch (const ConfigError& error) {
    throw ConfigError(place + ": " + error.what());
  }
}

std::vector<std::vector<int64_t>> Resnet18() {
  std::vector<std::vector<int64_t>> shapes;
  const auto convolution = [&](int64_t out, int64_t in, int64_t width) {
    shapes.push_back({out, in, width, width});
    shapes.push_back({out}), shapes.push_back({out});  // of the batch norm behind it
  };
  convolution(64, 3, 3);
  int64_t in = 64;
  for (const int64_t out : {64, 128, 256, 512})
    for (const bool first : {true, false}) {
      convolution(out, in, 3), convolution(out, out, 3);
      if (first && in != out) convolution(out, in, 1);
      in = out;
    }
  shapes.push_back({10, 512}), shapes.push_back({10});
  return shapes;
}

}  // namespace

VariantSpec ParseVariant(const std::string& words) {
  const std::string place = "--compressor " + words;
  std::istringstream in(words);
  VariantSpec variant{.name = words};
  std::string word;
  in >> word;
  const size_t plus = word.find('+');
  CommConfig& comm = variant.comm;
  if (plus != std::string::npos) {
    comm.method = word.substr(0, plus), comm.compressor = word.substr(plus + 1);
  } else if (IsMethod(word)) {
    comm.method = word;
  } else {
    comm.method = "ef", comm.compressor = word;
  }
  while (in >> word) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos)
      throw ConfigError(
          fmt::format("{}: found '{}', expected a key of comm and its value, as in topology=sharded", place, word));
    SetComm(comm, word.substr(0, equals), ConfigValue::Plain(word.substr(equals + 1)), place);
  }
  CheckComm(comm, place);
  return variant;
}

std::vector<std::pair<std::string, std::string>> SettingsOf(const CommConfig& comm) {
  std::vector<std::pair<std::string, std::string>> settings = {{"method", comm.method},
                                                               {"compressor", comm.compressor}};
  for (const ConfigKey<CommConfig>& key : CommKeys()) {
    const std::string_view leaf = key.leaf();
    if (leaf != "method" && leaf != "compressor" && key.print(comm) != key.print({}))
      settings.emplace_back(leaf, key.print(comm));
  }
  return settings;
}

std::vector<VariantSpec> VariantsOf(const ExchangeOptions& options) {
  std::vector<VariantSpec> variants = {{VariantSpec::Kind::kDense, "dense DDP"}, {VariantSpec::Kind::kFloor, "floor"}};
  std::vector<std::string> words = options.compressors;
  if (words.empty()) words = {"none", "ef+sign", "ef+topk:1%", "dcgd+qsgd:127", "dcgd+fp16"};
  for (const std::string& word : words) {
    variants.push_back(ParseVariant(word));
    variants.back().comm.timeout_s = options.timeout_s;
  }
  return variants;
}

std::vector<std::vector<int64_t>> ShapesOf(const std::string& model) {
  constexpr int64_t kLayer = 1'000'000, kMost = int64_t{1} << 31;
  if (model == "resnet18") return Resnet18();
  int64_t numel = 0;
  std::string_view rest;
  if (!Read(model, numel, rest) || !rest.empty() || numel < 1 || numel > kMost)
    throw ConfigError(fmt::format("bench exchange: --model {}: expected resnet18, or a number of elements from 1 to {}",
                                  model, kMost));
  std::vector<std::vector<int64_t>> shapes;
  for (int64_t left = numel; left > 0; left -= kLayer)
    shapes.push_back({std::min(left, kLayer), 1});  // a matrix: vectors would travel dense
  return shapes;
}

double BitsPerSecond(const std::string& rate) {
  double number = 0;
  std::string_view unit;
  const bool is_number = Read(rate, number, unit) && number > 0;
  const double factor = unit == "kbit" ? 1e3 : unit == "mbit" ? 1e6 : unit == "gbit" ? 1e9 : 0;
  if (!is_number || factor == 0)
    throw ConfigError(
        fmt::format("bench: --rate {}: expected a number and kbit, mbit or gbit, as in 100mbit or 1gbit", rate));
  return number * factor;
}

void Check(const ExchangeOptions& options) {
  ShapesOf(options.model);
  VariantsOf(options);
  if (!options.rate.empty()) BitsPerSecond(options.rate);
  if (options.ranks < 2 || options.ranks > 64)
    throw ConfigError(fmt::format("bench exchange: --ranks {}: expected 2 to 64", options.ranks));
  if (!options.json.empty() && !std::ofstream(options.json, std::ios::app))
    throw ConfigError(fmt::format(
        "bench exchange: --json {}: cannot be written; expected a file in a folder that is there", options.json));
}

}  // namespace gradwire::train
