// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "base/text.h"
#include "gossip/graphs.h"
#include "gradwire/error.h"

namespace gradwire {
namespace {

constexpr size_t kMostLine = size_t{1} << 20;  // bytes: 40,000 numbers
constexpr double kSame = 1e-9;                 // written weights are rounded; larger differences are mistakes

std::vector<double> NumbersOf(const std::string& line, const std::string& place) {
  std::istringstream words(line.substr(0, line.find('#')));
  std::vector<double> numbers;
  for (std::string word; words >> word;) {
    double number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(number) || number < 0)
      throw ConfigError("gossip.graph", fmt::format("{}: found {} as number {}, expected a weight of 0 or more", place,
                                                    Shown(word), numbers.size() + 1));
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

Square ReadSquare(const std::string& file, size_t workers) {
  std::ifstream in(file);
  if (!in)
    throw ConfigError("gossip.graph",
                      fmt::format("{} is neither a graph's name nor a file that can be read", Shown(file)));
  Square square;
  size_t at = 0;
  for (std::string line; ReadLine(in, line, kMostLine);) {
    const std::string place = fmt::format("{}:{}", file, ++at);
    if (line.size() > kMostLine) throw ConfigError("gossip.graph", place + ": the line is longer than 1 MiB");
    std::vector<double> numbers = NumbersOf(line, place);
    if (numbers.empty()) continue;
    if (numbers.size() != workers || square.size() == workers)
      throw ConfigError("gossip.graph",
                        fmt::format("{}: row {} of {} numbers, expected {} rows of {}, one for each worker", place,
                                    square.size() + 1, numbers.size(), workers, workers));
    square.push_back(std::move(numbers));
  }
  if (square.size() != workers)
    throw ConfigError("gossip.graph",
                      fmt::format("{} has {} rows, expected {}, one for each worker", file, square.size(), workers));
  return square;
}

void MakeSymmetric(Square& square, const std::string& file) {
  for (size_t i = 0; i < square.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      if (std::abs(square[i][j] - square[j][i]) > kSame)
        throw ConfigError("gossip.graph",
                          fmt::format("{}: not symmetric: worker {} counts {} for worker {}, and {} the other way; "
                                      "expected the same weight both ways, or gossip.method push_sum",
                                      file, j, square[j][i], i, square[i][j]));
      square[i][j] = square[j][i];  // an edge has two ends, or none
    }
}

}  // namespace gradwire
