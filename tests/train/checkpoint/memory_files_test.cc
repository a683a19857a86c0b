// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint/memory_files.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "gradwire/comm_config.h"
#include "gradwire/error.h"
#include "gradwire/method.h"
#include "support/ranks.h"

namespace gradwire::train {
namespace {

const std::vector<Parameter> kParameters = {{"a.weight", {300, 300}}, {"b", {3}}};

ExchangeParts Parts(const char* method, const char* compressor) {
  CommConfig comm;
  comm.method = method, comm.compressor = compressor;
  return MakeParts(comm, 1);
}

/// One number in all elements of each vector of a rank.
Snapshot File(const std::map<std::string, float>& values) {
  Snapshot file;
  for (const auto& [entry, value] : values) {
    const std::vector<float> filled(kParameters[entry.ends_with("a.weight") ? 0 : 1].numel(), value);
    file.Put(entry, std::span<const float>(filled));
  }
  return file;
}

std::vector<float> ValuesOf(const std::vector<MemoryVector>& memory, const std::string& name, bool down,
                            uint32_t parameter) {
  for (const MemoryVector& vector : memory)
    if (vector.name == name && vector.down == down && vector.parameter == parameter) return vector.values;
  return {};
}

TEST(Reshard, EveryNewRankHasTheMeanOfTheOldResiduals) {
  const std::vector<Snapshot> old = {File({{"up/e/a.weight", 1}, {"up/e/b", 4}, {"up/mean h/b", 7}}),
                                     File({{"up/e/a.weight", 3}, {"up/e/b", -1}, {"up/mean h/b", 7}})};
  const auto memory = Reshard(old, kParameters, "allgather");
  EXPECT_EQ(ValuesOf(memory, "e", false, 0), std::vector<float>(90000, 2));
  EXPECT_EQ(ValuesOf(memory, "e", false, 1), std::vector<float>(3, 1.5));
  EXPECT_EQ(ValuesOf(memory, "mean h", false, 1), std::vector<float>(3, 7)) << "the same on all ranks";
}

TEST(Reshard, OldRanksThatAreNotAlikeAreRefused) {
  const std::vector<Snapshot> old = {File({{"up/e/a.weight", 1}, {"up/e/b", 4}}), File({{"up/e/a.weight", 3}})};
  EXPECT_THROW(Reshard(old, kParameters, "allgather"), Error);
}

/// What owners hold is summed, and goes to the new owner of the piece alone: so that another change sums it right. The
/// owners are those of the order that elements have in the buckets.
TEST(Reshard, MemoryOfOwnersIsHeldOnceAfterIt) {
  const ExchangeParts parts = Parts("dore", "terngrad");
  ASSERT_EQ(parts.topology, "sharded");
  std::vector<Snapshot> files = {File({{"down/e/a.weight", 5}, {"up/mean h/a.weight", 0}, {"up/h/a.weight", 1}}),
                                 File({{"down/e/a.weight", 0}, {"up/mean h/a.weight", 6}, {"up/h/a.weight", 2}})};
  std::vector<Parameter> parameters = kParameters;
  for (const int size : {3, 2, 1}) {
    parameters[0].order = size == 2 ? ElementOrder{1, 0} : ElementOrder{};
    std::vector<Snapshot> next(static_cast<size_t>(size));
    std::vector<float> residual(90000), shift(90000);
    std::mutex mutex;
    testing::RunRanks(size, [&](Collective& collective) {
      Exchange<float> exchange(collective, parameters, parts);
      LoadMemory(exchange, Reshard(files, parameters, parts.topology));
      const std::lock_guard lock(mutex);
      PutMemory(next[static_cast<size_t>(collective.rank())], exchange);
      const auto memory = SaveMemory(exchange);
      const auto e = ValuesOf(memory, "e", true, 0), h = ValuesOf(memory, "mean h", false, 0);
      for (size_t i = 0; i < e.size(); ++i) residual[i] += e[i], shift[i] += h[i];
      EXPECT_EQ(ValuesOf(memory, "h", false, 0), std::vector<float>(90000, 1.5));
      const size_t kept = static_cast<size_t>(std::ranges::count_if(h, [](float x) { return x != 0; }));
      EXPECT_EQ(kept, size == 3   ? (collective.rank() == 0   ? 65536u
                                     : collective.rank() == 1 ? 24464u
                                                              : 0u)
                      : size == 2 ? (collective.rank() == 0 ? 65536u : 24464u)
                                  : 90000u);
    });
    EXPECT_EQ(residual, std::vector<float>(90000, 5)) << size;
    EXPECT_EQ(shift, std::vector<float>(90000, 6)) << size;
    files = std::move(next);
  }
}

TEST(MemoryIn, RefusesAnotherModels) {
  EXPECT_THROW(MemoryIn(File({{"up/e/c", 1}}), kParameters), Error);
  EXPECT_THROW(MemoryIn(File({{"up/e/b", 1}}), {{"b", {4}}}), Error);
  EXPECT_EQ(MemoryIn(File({{"up/e/b", 1}, {"other", 2}}), kParameters).size(), 1u);
}

}  // namespace
}  // namespace gradwire::train
