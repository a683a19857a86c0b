// SPDX-License-Identifier: Apache-2.0
#include "train/memory_files.h"

#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "gradwire/comm_config.h"
#include "gradwire/error.h"
#include "gradwire/method.h"

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
  for (int rank = 0; rank < 3; ++rank) {
    const auto memory = Reshard(old, kParameters, Parts("ef", "sign"), rank, 3);
    EXPECT_EQ(ValuesOf(memory, "e", false, 0), std::vector<float>(90000, 2));
    EXPECT_EQ(ValuesOf(memory, "e", false, 1), std::vector<float>(3, 1.5));
    EXPECT_EQ(ValuesOf(memory, "mean h", false, 1), std::vector<float>(3, 7)) << "the same on all ranks";
  }
}

/// What owners hold is summed, and goes to the new owner of the piece alone: so that another change sums it right.
TEST(Reshard, MemoryOfOwnersIsHeldOnceAfterIt) {
  const ExchangeParts parts = Parts("dore", "terngrad");
  ASSERT_EQ(parts.topology, Topology::kSharded);
  std::vector<Snapshot> files = {
      File({{"down/e/a.weight", 5}, {"down/mean h/a.weight", 2}, {"up/mean h/a.weight", 0}, {"up/h/a.weight", 1}}),
      File({{"down/e/a.weight", 0}, {"down/mean h/a.weight", 2}, {"up/mean h/a.weight", 6}, {"up/h/a.weight", 2}})};
  for (const int size : {3, 2, 1}) {
    std::vector<Snapshot> next;
    std::vector<float> residual(90000), shift(90000);
    for (int rank = 0; rank < size; ++rank) {
      const auto memory = Reshard(files, kParameters, parts, rank, size);
      Snapshot& file = next.emplace_back();
      for (const MemoryVector& v : memory)
        file.Put((v.down ? "down/" : "up/") + v.name + "/a.weight", std::span<const float>(v.values));
      const auto e = ValuesOf(memory, "e", true, 0), h = ValuesOf(memory, "mean h", false, 0);
      for (size_t i = 0; i < e.size(); ++i) residual[i] += e[i], shift[i] += h[i];
      EXPECT_EQ(ValuesOf(memory, "mean h", true, 0), std::vector<float>(90000, 2));
      EXPECT_EQ(ValuesOf(memory, "h", false, 0), std::vector<float>(90000, 1.5));
    }
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
