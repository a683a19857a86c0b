// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "collective/thread_collective.h"

namespace gradwire::testing {

/// Runs `body(rank)` on a thread for each rank and rethrows the first exception, by rank.
inline void RunThreads(int size, const std::function<void(int)>& body) {
  std::vector<std::exception_ptr> failures(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        body(rank);
      } catch (...) {
        failures[static_cast<size_t>(rank)] = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

/// n ranks as threads, each with its own collective: `body(collective)`. A rank that throws closes its collective, so
/// that the others end as well.
inline void RunRanks(int size, const std::function<void(Collective&)>& body,
                     std::chrono::milliseconds timeout = std::chrono::seconds(60)) {
  auto collectives = MakeThreadCollectives(size, timeout);
  RunThreads(size, [&](int rank) {
    const std::unique_ptr<Collective> mine = std::move(collectives[static_cast<size_t>(rank)]);
    body(*mine);
  });
}

}  // namespace gradwire::testing
