// SPDX-License-Identifier: Apache-2.0
#include "train/bench/model_shapes.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gradwire/error.h"
#include "train/bench/exchange_options.h"

namespace gradwire::train {
namespace {

constexpr uint64_t kMostHeader = 100'000'000;  // bytes; as the format's own reader

ConfigError About(const std::string& model, const std::string& what) {
  return ConfigError(
      fmt::format("bench advise: --model {}: {}; expected resnet18, a number of elements, or the path of a "
                  ".safetensors or .pt file",
                  model, what));
}

/// 0 where the dtype is no floating one.
size_t BytesOf(const std::string& dtype) {
  if (dtype == "F32") return 4;
  if (dtype == "F64") return 8;
  return dtype == "F16" || dtype == "BF16" ? 2 : 0;
}

/// The header: 8 bytes of its length, little-endian, and a JSON object of {name: {dtype, shape, data_offsets}}.
std::string HeaderOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::array<unsigned char, 8> bytes{};
  if (!in.read(reinterpret_cast<char*>(bytes.data()), bytes.size())) throw About(path, "has no 8 bytes of a length");
  uint64_t length = 0;
  for (size_t i = bytes.size(); i-- > 0;) length = length << 8 | bytes[i];
  if (length > kMostHeader)
    throw About(path, fmt::format("its header has {} bytes, which no .safetensors has", length));
  std::string header(length, '\0');
  if (!in.read(header.data(), static_cast<std::streamsize>(length))) throw About(path, "ends within its header");
  return header;
}

ModelShapes OfSafetensors(const std::string& path) try {
  ModelShapes shapes;
  size_t bytes = 0, numel = 0;
  const auto header = nlohmann::ordered_json::parse(HeaderOf(path));
  for (const auto& [name, tensor] : header.items()) {
    if (name == "__metadata__") continue;
    const size_t each = BytesOf(tensor.at("dtype").get<std::string>());
    const auto shape = tensor.at("shape").get<std::vector<int64_t>>();
    if (each == 0 || std::ranges::any_of(shape, [](int64_t size) { return size < 1; })) continue;
    shapes.parameters.push_back({name, shape});
    bytes += each * shapes.parameters.back().numel(), numel += shapes.parameters.back().numel();
  }
  if (numel == 0) throw About(path, "has no floating tensor");
  shapes.bytes_an_element = std::max<size_t>((bytes + numel / 2) / numel, 1);
  return shapes;
} catch (const nlohmann::json::exception& error) {
  throw About(path, fmt::format("its header is not that of a .safetensors file ({})", error.what()));
}

}  // namespace

ModelShapes ModelShapesOf(const std::string& model, const PtReader& read_pt) {
  const bool is_file = std::filesystem::is_regular_file(model);
  if (is_file && model.ends_with(".safetensors")) return OfSafetensors(model);
  if (is_file && (model.ends_with(".pt") || model.ends_with(".pth"))) {
    if (!read_pt)
      throw ConfigError(
          fmt::format("bench advise: --model {}: this build is without torch, which reads it; expected its "
                      "number of elements, or a .safetensors file",
                      model));
    return read_pt(model);
  }
  if (is_file) throw About(model, "its name ends in neither .safetensors nor .pt");
  if (model.ends_with(".safetensors") || model.ends_with(".pt") || model.ends_with(".pth"))
    throw About(model, "there is no such file");
  ModelShapes shapes;
  try {
    for (const std::vector<int64_t>& shape : ShapesOf(model))
      shapes.parameters.push_back({std::to_string(shapes.parameters.size()), shape});
  } catch (const ConfigError&) {
    throw About(model, "is no model known here");
  }
  return shapes;
}

}  // namespace gradwire::train
