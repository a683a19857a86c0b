// SPDX-License-Identifier: Apache-2.0
// What every method, operator and topology sends, delivers and remembers in 20 rounds, as a line of hashes for each:
// two builds that print the same lines exchange the same bits. usage: gradwire_fingerprint [ranks]
#include <cstdlib>
#include <iostream>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/philox.h"
#include "gradwire/exchange_thread.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

constexpr uint64_t kRounds = 20;
/// The last one has two pieces, and is only there where a method is on its own topology: it takes most of the time.
std::vector<Parameter> ParametersFor(const testing::Combination& combination) {
  std::vector<Parameter> parameters = {{"weight", {50, 31}}, {"bias", {50}}, {"small", {5, 5}}, {"other", {1100, 1}}};
  if (combination.topology == "auto") parameters.back() = {"long", {66000, 1}};
  return parameters;
}

struct Fingerprint {
  uint64_t sent = 0, delivered = 0, memory = 0;
};

/// Order matters.
void Mix(uint64_t& hash, const void* bytes, size_t size) { hash = XXH3_64bits_withSeed(bytes, size, hash); }

/// Of what this rank sends, by operation and peer, behind the frames: the job's random token is in those.
class HashingCollective final : public testing::ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;

  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    for (const Outgoing& message : outgoing) {
      const size_t frame = std::min(sizeof(Frame), message.bytes.size());
      Mix(sent_, &message.peer, sizeof(message.peer));
      Mix(sent_, message.bytes.data() + frame, message.bytes.size() - frame);
    }
    return ForwardingCollective::Start(id, outgoing, incoming);
  }

  uint64_t sent() const { return sent_; }

 private:
  uint64_t sent_ = 0;
};

template <typename T>
void MixMemory(uint64_t& hash, StateStore<T>& state) {
  state.ForEach([&](uint32_t parameter, std::string_view name, std::span<const T> values) {
    Mix(hash, &parameter, sizeof(parameter));
    Mix(hash, name.data(), name.size());
    Mix(hash, values.data(), values.size_bytes());
  });
}

/// Gradients are multiples of 2^-12 that the round and the rank choose.
template <typename T>
Fingerprint RunRank(const testing::Combination& combination, Collective& collective) {
  const std::vector<Parameter> parameters = ParametersFor(combination);
  HashingCollective hashing(collective);
  Exchange<T> exchange(hashing, parameters, MakeParts(combination.Config(), /*seed=*/5));
  DirectSink<T> sink(exchange);
  testing::Buckets<T> buckets(parameters, {{3}, {2, 0, 1}});
  Fingerprint print;
  for (uint64_t round = 0; round < kRounds; ++round) {
    Philox random(/*seed=*/9, Purpose::kSynthetic, static_cast<uint64_t>(collective.rank()), round);
    for (uint32_t p = 0; p < parameters.size(); ++p)
      for (T& x : buckets.Of(p)) x = static_cast<T>(static_cast<int>(random.Next() % 8192) - 3000) / T(4096);
    buckets.Exchange(sink, {round, /*lr=*/0.25});
    for (uint32_t p = 0; p < parameters.size(); ++p)
      Mix(print.delivered, buckets.Of(p).data(), buckets.Of(p).size_bytes());
  }
  print.sent = hashing.sent();
  MixMemory(print.memory, exchange.state());
  MixMemory(print.memory, exchange.down_state());
  return print;
}

template <typename T>
void Print(const testing::Combination& combination, int ranks) {
  std::vector<Fingerprint> prints(static_cast<size_t>(ranks));
  testing::RunRanks(ranks, [&](Collective& collective) {
    prints[static_cast<size_t>(collective.rank())] = RunRank<T>(combination, collective);
  });
  Fingerprint all;
  for (const Fingerprint& print : prints) {
    Mix(all.sent, &print.sent, sizeof(print.sent));
    Mix(all.delivered, &print.delivered, sizeof(print.delivered));
    Mix(all.memory, &print.memory, sizeof(print.memory));
  }
  std::cout << fmt::format("{} {} topology={} down={} f{}: sent {:016x} delivered {:016x} memory {:016x}\n",
                           combination.method, combination.compressor, combination.topology, combination.down,
                           8 * sizeof(T), all.sent, all.delivered, all.memory);
}

}  // namespace
}  // namespace gradwire

int main(int argc, char** argv) {
  const int ranks = argc > 1 ? std::atoi(argv[1]) : 3;
  for (const gradwire::Method& method : gradwire::Methods()) {
    auto combinations = gradwire::testing::EveryCombination(std::string(method.name));
    combinations.push_back({std::string(method.name), "auto"});  // some take no operator but their own
    for (const auto& combination : combinations) {
      const auto compressor = gradwire::MakeParts(combination.Config(), 0).compressor;
      if (compressor->scope() == gradwire::Scope::kModel) continue;  // for models of one parameter
      gradwire::Print<float>(combination, ranks);
      gradwire::Print<double>(combination, ranks);
    }
  }
}
