// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/memory_files.h"

#include <map>

#include <fmt/format.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

constexpr std::string_view kUp = "up/", kDown = "down/", kChannel = "channel ";

/// "channel 2/", and nothing for channel 0.
std::string PrefixOf(uint32_t channel) { return channel == 0 ? "" : fmt::format("{}{}/", kChannel, channel); }

/// Takes the prefix off.
uint32_t TakeChannel(std::string& entry) {
  const size_t slash = entry.find('/');
  if (!entry.starts_with(kChannel) || slash == std::string::npos) return 0;
  const uint32_t channel = static_cast<uint32_t>(std::stoul(entry.substr(kChannel.size(), slash - kChannel.size())));
  entry.erase(0, slash + 1);
  return channel;
}

}  // namespace

void PutMemory(Snapshot& file, Exchange<float>& exchange) {
  for (const MemoryVector& v : SaveMemory(exchange))
    file.Put(fmt::format("{}{}{}/{}", PrefixOf(v.channel), v.down ? kDown : kUp, v.name,
                         exchange.parameters()[v.parameter].name),
             std::span<const float>(v.values));
}

std::vector<MemoryVector> MemoryIn(const Snapshot& file, const std::vector<Parameter>& parameters) {
  std::map<std::string, uint32_t, std::less<>> ids;
  for (uint32_t p = 0; p < parameters.size(); ++p) ids.emplace(parameters[p].name, p);
  std::vector<MemoryVector> memory;
  for (const std::string& entry : file.names()) {
    std::string name = entry;
    const uint32_t channel = TakeChannel(name);
    const bool down = name.starts_with(kDown);
    if (!down && !name.starts_with(kUp)) continue;
    const std::string rest = name.substr((down ? kDown : kUp).size());
    const size_t slash = rest.find('/');
    const auto id = slash == std::string::npos ? ids.end() : ids.find(rest.substr(slash + 1));
    if (id == ids.end())
      throw Error(fmt::format("{}: entry '{}' is of no parameter of this model", file.path(), entry));
    MemoryVector& vector = memory.emplace_back(MemoryVector{down, id->second, rest.substr(0, slash), {}, channel});
    const bool is_query = vector.name == kQuery;  // of a size that the method's rank gives, as LoadMemory sees
    vector.values.resize(is_query ? file.Bytes(entry).size() / sizeof(float) : parameters[id->second].numel());
    file.Fill(entry, std::span<float>(vector.values));
  }
  return memory;
}

std::vector<MemoryVector> Reshard(const std::vector<Snapshot>& files, const std::vector<Parameter>& parameters,
                                  std::string_view topology) {
  std::vector<std::vector<MemoryVector>> old_ranks;
  for (const Snapshot& file : files) old_ranks.push_back(MemoryIn(file, parameters));
  return gradwire::Reshard(old_ranks, topology);
}

}  // namespace gradwire::train
