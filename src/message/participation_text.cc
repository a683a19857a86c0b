// SPDX-License-Identifier: Apache-2.0
// Participation as it is written in a configuration.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "gradwire/participation.h"

namespace gradwire {
namespace {

using Kind = Participation::Kind;

constexpr std::string_view kIid = "iid:", kNice = "nice:", kIndependent = "independent:", kSets = "sets:";

/// All of `text` as a number.
template <typename T>
std::optional<T> NumberOf(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  if (error != std::errc{} || end != text.end()) return std::nullopt;
  return number;
}

/// "40%" as 0.4.
std::optional<double> ShareOf(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  const auto percent = NumberOf<double>(text.substr(0, text.size() - 1));
  if (!percent || !(*percent > 0 && *percent <= 100)) return std::nullopt;
  return *percent / 100;
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (size_t end; (end = text.find(at)) != text.npos; text.remove_prefix(end + 1))
    parts.push_back(text.substr(0, end));
  parts.push_back(text);
  return parts;
}

/// "0+2=3".
std::optional<Participation::Set> SetOf(std::string_view text) {
  const std::vector<std::string_view> halves = Split(text, '=');
  if (halves.size() != 2) return std::nullopt;
  const auto weight = NumberOf<double>(halves[1]);
  if (!weight || !(*weight > 0) || std::isinf(*weight)) return std::nullopt;
  Participation::Set set{{}, *weight};
  for (const std::string_view part : Split(halves[0], '+')) {
    const auto worker = NumberOf<uint32_t>(part);
    if (!worker || std::ranges::count(set.workers, *worker) > 0) return std::nullopt;
    set.workers.push_back(*worker);
  }
  return set;
}

/// All parts of a list by `read`; empty where one is none.
template <typename T>
std::vector<T> ListOf(std::string_view text, std::optional<T> (*read)(std::string_view)) {
  std::vector<T> list;
  for (const std::string_view part : Split(text, ',')) {
    const auto value = read(part);
    if (!value) return {};
    list.push_back(*value);
  }
  return list;
}

std::string TextOf(const Participation::Set& set) {
  return fmt::format("{}={:.12g}", fmt::join(set.workers, "+"), set.weight);
}

template <typename List, typename Of>
std::string Joined(const List& list, Of of) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ",") + of(item);
  return text;
}

}  // namespace

std::string Participation::text() const {
  const auto percent = [](double share) { return fmt::format("{:.12g}%", 100 * share); };
  switch (kind) {
    case Kind::kAll: return "all";
    case Kind::kIid: return std::string(kIid) + percent(share);
    case Kind::kNice: return std::string(kNice) + percent(share);
    case Kind::kIndependent: return std::string(kIndependent) + Joined(probabilities, percent);
    case Kind::kSets: return std::string(kSets) + Joined(sets, TextOf);
  }
  throw Error("Participation: no such kind");
}

Participation ParseParticipation(std::string_view text) {
  if (text == "all") return {};
  for (const auto& [prefix, kind] : {std::pair{kIid, Kind::kIid}, std::pair{kNice, Kind::kNice}}) {
    if (!text.starts_with(prefix)) continue;
    if (const auto share = ShareOf(text.substr(prefix.size()))) return {.kind = kind, .share = *share};
  }
  Participation listed;
  if (text.starts_with(kIndependent)) {
    listed.kind = Kind::kIndependent;
    listed.probabilities = ListOf(text.substr(kIndependent.size()), ShareOf);
  } else if (text.starts_with(kSets)) {
    listed.kind = Kind::kSets;
    listed.sets = ListOf(text.substr(kSets.size()), SetOf);
  }
  double weights = 0;
  for (const Participation::Set& set : listed.sets) weights += set.weight;
  if (std::isfinite(weights) && (!listed.probabilities.empty() || !listed.sets.empty())) return listed;
  throw ConfigError(
      fmt::format("found '{}', expected all, iid:P%, nice:P%, independent:P%,P%,... or "
                  "sets:RANK+RANK=WEIGHT,..., P above 0 and up to 100, weights above 0, of a finite sum",
                  text));
}

}  // namespace gradwire
