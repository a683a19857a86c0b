// SPDX-License-Identifier: Apache-2.0
// From the second step or so on, an exchange allocates nothing: what a step needs, the step before has left. Counted is
// every operator new of the process but those of the transport and of the test itself.
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/philox.h"
#include "base/thread_pool.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/combinations.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"

namespace {

std::atomic<bool> counts = false;
std::atomic<size_t> allocations = 0;
thread_local bool is_apart = false;  // this thread is in what is not counted

void* Allocate(size_t size, size_t alignment) {
  if (counts && !is_apart) ++allocations;
  void* const memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size, 16); }
void* operator new(size_t size, std::align_val_t alignment) { return Allocate(size, static_cast<size_t>(alignment)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace gradwire {
namespace {

constexpr int kWorkers = 2;
constexpr uint64_t kSteps = 24;
const std::vector<Parameter> kParameters = {{"a", {60, 50}}, {"bias", {60}},   {"b", {40, 50}},
                                            {"c", {70, 71}}, {"d", {30, 127}}, {"e", {1023, 1}}};

struct Apart {
  Apart() { is_apart = true; }
  ~Apart() { is_apart = false; }
};

/// What the transport does is its own affair.
class ApartCollective final : public testing::ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;
  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    const Apart apart;
    return ForwardingCollective::Start(id, outgoing, incoming);
  }
  Ticket StartAllReduce(std::span<float> values) override {
    const Apart apart;
    return ForwardingCollective::StartAllReduce(values);
  }
  void Finish(const Ticket& ticket) override {
    const Apart apart;
    ForwardingCollective::Finish(ticket);
  }
};

/// The pool's other thread has what it needs, whether it is quick enough to help in the first steps or not.
void WarmThreads() {
  ThreadPool::OfProcess().Grow(2);
  Lane mine;
  std::barrier both(2);
  ThreadPool::OfProcess().Share(2, 2, mine, [&](size_t, Lane& lane) {
    const Scratch::Scope scope(lane.scratch);
    lane.scratch.Take<std::byte>(1 << 22);
    both.arrive_and_wait();
  });
}

/// Allocations in the last half of the steps, all ranks together.
size_t AllocationsOf(const ExchangeParts& parts) {
  allocations = 0;
  testing::RunRanks(kWorkers, [&](Collective& collective) {
    ApartCollective apart(collective);
    Exchange<float> exchange(apart, kParameters, parts);
    ExchangeThread<float> thread(exchange);
    testing::Buckets<float> buckets(kParameters, {{3, 2, 5}, {1, 0, 4}});
    std::atomic<size_t> done = 0;
    for (uint64_t step = 0; step < kSteps; ++step) {
      if (step == kSteps / 2) counts = true;
      for (size_t i = 0; i < buckets.size(); ++i) {
        Philox random(3, Purpose::kSynthetic, static_cast<uint64_t>(collective.rank()), step);
        for (float& x : buckets.At(i).values)
          x = static_cast<float>(static_cast<int>(random.Next() % 8192) - 3000) / 4096;
        thread.Push({step, 0.25}, buckets.At(i), [&done](std::exception_ptr failure) {
          if (failure) std::rethrow_exception(failure);
          ++done;
          done.notify_one();
        });
        // One after another: whether they are under way together, and need more, would depend on the moment.
        for (const size_t expected = buckets.size() * step + i + 1; done < expected;) done.wait(expected - 1);
      }
    }
    counts = false;
  });
  return allocations;
}

class NoAllocation : public ::testing::TestWithParam<std::string> {};

TEST_P(NoAllocation, InASteadyStep) {
  WarmThreads();
  for (const testing::Combination& c : testing::EveryCombination(GetParam()))
    for (const size_t threads : {1, 2}) {
      ExchangeParts parts = MakeParts(c.Config(), /*seed=*/5);
      if (parts.compressor->sees_shape()) continue;  // a decomposition allocates
      parts.threads = threads, parts.min_compress_numel = 100, parts.zeros_keep_memory = true;
      if (parts.link.refresh) parts.link.refresh = 0.5;  // so that dense rounds are among the first ones
      EXPECT_EQ(AllocationsOf(parts), 0u) << c << " " << c.topology << " " << c.down << ", " << threads << " threads";
    }
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const Method& method : Methods()) names.emplace_back(method.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryMethod, NoAllocation, ::testing::ValuesIn(MethodNames()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace gradwire
