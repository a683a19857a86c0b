// SPDX-License-Identifier: Apache-2.0
// What a rank sends for a piece depends on its gradient alone: not on the bucket cap, not on the world size.
#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/ranks.h"
#include "support/recording_collective.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

constexpr uint64_t kSteps = 2;  // the second one carries memory of the first
constexpr size_t kMiB = 1 << 20;

/// ResNet-18's shapes for small images (He et al. 2016): 11.2 million elements, 45 MB.
std::vector<Parameter> ResNet18() {
  std::vector<Parameter> list;
  const auto conv = [&](int64_t out, int64_t in, int64_t width) {
    const std::string name = std::to_string(list.size());
    list.push_back({name + ".conv", {out, in, width, width}});
    list.push_back({name + ".gain", {out}});
    list.push_back({name + ".shift", {out}});
  };
  conv(64, 3, 3);
  for (int64_t out = 64, in = 64; out <= 512; in = out, out *= 2) {
    conv(out, in, 3), conv(out, out, 3);
    if (in != out) conv(out, in, 1);
    conv(out, out, 3), conv(out, out, 3);
  }
  list.push_back({"fc.weight", {10, 512}});
  list.push_back({"fc.bias", {10}});
  return list;
}

/// DDP's rule: from the last parameter to the first, a bucket is closed once it has reached the cap.
testing::Layout CappedBuckets(const std::vector<Parameter>& parameters, size_t cap_bytes) {
  testing::Layout layout(1);
  size_t bytes = 0;
  for (size_t p = parameters.size(); p-- > 0;) {
    if (bytes >= cap_bytes) layout.emplace_back(), bytes = 0;
    layout.back().push_back(static_cast<uint32_t>(p));
    bytes += parameters[p].numel() * sizeof(float);
  }
  return layout;
}

void FillGradients(const std::vector<Parameter>& parameters, int rank, uint64_t step,
                   testing::Buckets<float>& buckets) {
  for (uint32_t p = 0; p < parameters.size(); ++p) {
    // Multiples of an odd number modulo 2^32: spread evenly, and much faster than a draw an element.
    const uint32_t odd = Philox(step, Purpose::kSynthetic, static_cast<uint64_t>(rank), p).Next() | 1;
    uint32_t multiple = 0;
    for (float& x : buckets.Of(p)) x = static_cast<float>(static_cast<int32_t>(multiple += odd)) * 0x1p-40f;
  }
}

/// The payload of each (step, parameter, piece).
using Payloads = std::map<std::tuple<uint64_t, uint32_t, size_t>, std::vector<std::byte>>;

/// Cuts a message by the order of the bucket's pieces and Compressor::Bytes, or the table of sizes where they vary.
void Cut(const ExchangeParts& parts, const std::vector<Parameter>& parameters, const std::vector<uint32_t>& bucket,
         uint64_t step, std::span<const std::byte> message, Payloads& payloads) {
  const auto identity = ParseCompressor("identity");
  size_t pieces = 0, next = 0;
  for (const uint32_t p : bucket) pieces += PieceCount(parameters[p].numel(), parts.piece);
  const bool varies = parts.compressor->variable();
  size_t at = sizeof(Frame) + (varies ? AlignPayload(pieces * sizeof(uint32_t)) : 0);
  for (const uint32_t p : bucket) {
    const size_t numel = parameters[p].numel();
    const bool dense = numel < parts.min_compress_numel || (!parts.compress_1d && parameters[p].shape.size() == 1);
    for (size_t i = 0; i < PieceCount(numel, parts.piece); ++i) {
      size_t bytes = (dense ? identity : parts.compressor)->Bytes(PieceAt(numel, parts.piece, i), Dtype::kF32);
      if (varies) {
        uint32_t size = 0;
        std::memcpy(&size, message.data() + sizeof(Frame) + next++ * sizeof(size), sizeof(size));
        ASSERT_LE(size, bytes);
        bytes = size;
      }
      ASSERT_LE(at + bytes, message.size());
      const auto payload = message.subspan(at, bytes);
      payloads[{step, p, i}].assign(payload.begin(), payload.end());
      at += AlignPayload(bytes);
    }
  }
  EXPECT_EQ(at, message.size());
}

/// Everything that rank 0 sends.
Payloads PayloadsOfRank0(const CommConfig& config, const std::vector<Parameter>& parameters,
                         const testing::Layout& layout, int workers) {
  Payloads payloads;
  testing::RunRanks(workers, [&](Collective& collective) {
    testing::RecordingCollective recording(collective);
    const ExchangeParts parts = MakeParts(config, /*seed=*/3);
    Exchange<float> exchange(recording, parameters, parts);
    DirectSink<float> sink(exchange);
    testing::Buckets<float> buckets(parameters, layout);
    for (uint64_t step = 0; step < kSteps; ++step) {
      FillGradients(parameters, collective.rank(), step, buckets);
      buckets.Exchange(sink, step);
    }
    if (collective.rank() != 0) return;
    ASSERT_EQ(recording.messages().size(), kSteps * layout.size());
    for (size_t i = 0; i < recording.messages().size(); ++i)
      Cut(parts, parameters, layout[i % layout.size()], i / layout.size(), recording.messages()[i], payloads);
  });
  return payloads;
}

void ExpectEqual(const Payloads& found, const Payloads& expected, const std::string& where) {
  ASSERT_EQ(found.size(), expected.size()) << where;
  const auto [here, there] = std::ranges::mismatch(found, expected);
  if (here == found.end()) return;
  const auto [step, parameter, piece] = here->first;
  ADD_FAILURE() << where << ": step " << step << ", parameter " << parameter << ", piece " << piece << " differs";
}

TEST(PayloadBytesOfResNet18, AreTheSameForEveryBucketCap) {
  const std::vector<Parameter> parameters = ResNet18();
  const CommConfig config = testing::Combination{"ef", "sign"}.Config();
  const Payloads expected = PayloadsOfRank0(config, parameters, testing::OneBucket(parameters), 2);
  for (const size_t cap_mb : {1, 4, 25}) {
    const testing::Layout layout = CappedBuckets(parameters, cap_mb * kMiB);
    EXPECT_GT(layout.size(), 1u);
    ExpectEqual(PayloadsOfRank0(config, parameters, layout, 2), expected, "cap " + std::to_string(cap_mb) + " MiB");
  }
}

class PayloadBytes : public ::testing::TestWithParam<testing::Combination> {};

TEST_P(PayloadBytes, AreTheSameForEveryLayoutAndWorldSize) {
  const std::vector<Parameter> parameters = {
      {"two pieces", {300, 300}}, {"one", {90, 71}}, {"norm", {4000}}, {"small", {5, 5}}};
  for (const char* piece : {"fixed", "tensor"}) {
    CommConfig config = GetParam().Config();
    config.piece = piece;
    config.topology = "allgather";
    const Payloads expected = PayloadsOfRank0(config, parameters, testing::OneBucket(parameters), 2);
    EXPECT_EQ(expected.size(), kSteps * (piece == std::string("fixed") ? 5 : 4));
    ExpectEqual(PayloadsOfRank0(config, parameters, testing::OneEach(parameters), 2), expected, "a bucket each");
    ExpectEqual(PayloadsOfRank0(config, parameters, {{3, 1}, {2, 0}}, 2), expected, "another order");
    ExpectEqual(PayloadsOfRank0(config, parameters, {{0, 2}, {3, 1}}, 3), expected, "three ranks");
  }
}

/// Of all but operators of matrices, which are never cut: they have one payload a parameter by their piece rule alone.
std::vector<testing::Combination> CutCombinations() {
  std::vector<testing::Combination> all = testing::Combinations({"dcgd", "ef"});
  std::erase_if(all, [](const testing::Combination& c) { return c.Config().piece == "matrix"; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(, PayloadBytes, ::testing::ValuesIn(CutCombinations()),
                         [](const auto& info) { return testing::NameOf(info.param); });

}  // namespace
}  // namespace gradwire
