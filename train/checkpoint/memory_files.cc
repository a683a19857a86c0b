// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/memory_files.h"

#include <map>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

constexpr std::string_view kUp = "up/", kDown = "down/";

}  // namespace

void PutMemory(Snapshot& file, Exchange<float>& exchange) {
  for (const MemoryVector& v : SaveMemory(exchange))
    file.Put(fmt::format("{}{}/{}", v.down ? kDown : kUp, v.name, exchange.parameters()[v.parameter].name),
             std::span<const float>(v.values));
}

std::vector<MemoryVector> MemoryIn(const Snapshot& file, const std::vector<Parameter>& parameters) {
  std::map<std::string, uint32_t, std::less<>> ids;
  for (uint32_t p = 0; p < parameters.size(); ++p) ids.emplace(parameters[p].name, p);
  std::vector<MemoryVector> memory;
  for (const std::string& entry : file.names()) {
    const bool down = entry.starts_with(kDown);
    if (!down && !entry.starts_with(kUp)) continue;
    const std::string rest = entry.substr((down ? kDown : kUp).size());
    const size_t slash = rest.find('/');
    const auto id = slash == std::string::npos ? ids.end() : ids.find(rest.substr(slash + 1));
    if (id == ids.end())
      throw Error(fmt::format("{}: entry '{}' is of no parameter of this model", file.path(), entry));
    MemoryVector& vector = memory.emplace_back(MemoryVector{down, id->second, rest.substr(0, slash), {}});
    vector.values.resize(parameters[id->second].numel());
    file.Fill(entry, std::span<float>(vector.values));
  }
  return memory;
}

std::vector<MemoryVector> Reshard(const std::vector<Snapshot>& files, const std::vector<Parameter>& parameters,
                                  Topology topology) {
  std::vector<std::vector<MemoryVector>> old_ranks;
  for (const Snapshot& file : files) old_ranks.push_back(MemoryIn(file, parameters));
  return gradwire::Reshard(old_ranks, topology);
}

}  // namespace gradwire::train
