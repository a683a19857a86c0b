// SPDX-License-Identifier: Apache-2.0
// What saved memory belongs to, as text.
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "base/symmetric.h"
#include "exchange/core.h"
#include "exchange/saved_memory.h"

namespace gradwire {
namespace {

constexpr size_t kLinesShown = 5;

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string TextOf(const Link& link, const std::shared_ptr<const Compressor>& compressor) {
  return compressor ? fmt::format("{}, {}, {}", link.name, compressor->spec(), link.numbers()) : "none";
}

Lines LinesOf(const std::string& text) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) lines.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return lines;
}

std::string ValueIn(const Lines& lines, const std::string& key) {
  for (const auto& [name, value] : lines)
    if (name == key) return value;
  return "nothing";
}

template <typename T>
std::string SettingsOf(const Channel<T>& channel) {
  const ExchangeParts& parts = channel.parts;
  std::string text = fmt::format(
      "method: {}\nlink: {}\nlearner: {}\nway back: {}\ntopology: {}\nparticipation: {}\npiece: {}\nseed: {}\n"
      "dtype: float{}\n",
      parts.method, TextOf(parts.link, parts.compressor), TextOf(parts.learning, parts.learner),
      TextOf(parts.down, parts.down_compressor), parts.topology, parts.participation.text(), NameOf(parts.piece),
      parts.seed, 8 * sizeof(T));
  if (!parts.aggregate.is_mean()) text += fmt::format("aggregate: {}\n", parts.aggregate.text());
  for (uint32_t p = 0; p < channel.parameters.size(); ++p) {
    const Parameter& parameter = channel.parameters[p];
    text += fmt::format("parameter {}: {}, {}\n", parameter.name, ShapeText(parameter),
                        TravelsDense(parts, parameter) ? "dense" : "compressed");
    if (channel.owners > 0 && PieceCount(parameter, parts.piece) > 1)
      text += fmt::format("memory format of {}, whose pieces have owners: {}\n", parameter.name,
                          gradwire::TextOf(channel.state.order(p)));
  }
  return text;
}

}  // namespace

template <typename T>
std::string MemorySettings(Exchange<T>& exchange) {
  std::string text;
  for (const auto& [number, channel] : exchange.SettledCore().channels) {
    const std::string settings = SettingsOf(*channel);
    for (const auto& [key, value] : LinesOf(settings))
      text += fmt::format("{}{}: {}\n", number == 0 ? "" : fmt::format("channel {} ", number), key, value);
  }
  return text;
}

std::string MemoryDifference(const std::string& saved, const std::string& here) {
  const Lines there = LinesOf(saved), mine = LinesOf(here);
  std::vector<std::string> found;
  for (const auto& [key, value] : there)
    if (const std::string other = ValueIn(mine, key); other != value)
      found.push_back(fmt::format("\n  {}: saved with {}, this one has {}", key, value, other));
  for (const auto& [key, value] : mine)
    if (ValueIn(there, key) == "nothing")
      found.push_back(fmt::format("\n  {}: saved with nothing, this one has {}", key, value));
  std::string text;
  for (size_t i = 0; i < found.size() && i < kLinesShown; ++i) text += found[i];
  return found.size() > kLinesShown ? text + fmt::format("\n  and {} more", found.size() - kLinesShown) : text;
}

template std::string MemorySettings(Exchange<float>&);
template std::string MemorySettings(Exchange<double>&);

}  // namespace gradwire
