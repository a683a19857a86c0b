// SPDX-License-Identifier: Apache-2.0
#include "c10d/roll_call.h"

#include <thread>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

namespace gradwire {
namespace {

constexpr const char* kDead = "dead";

std::string Reported(int rank) { return "reported/" + std::to_string(rank); }

}  // namespace

RollCall::RollCall(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size)
    : store_(c10::make_intrusive<c10d::PrefixStore>("gradwire/roll_call", store)), rank_(rank), size_(size) {}

int RollCall::Blame(int suspect) {
  try {
    const std::string mine = std::to_string(suspect);
    const auto first =
        store_->compareSet(kDead, std::vector<uint8_t>{}, std::vector<uint8_t>(mine.begin(), mine.end()));
    return std::stoi(std::string(first.begin(), first.end()));
  } catch (const std::exception&) {
    return suspect;
  }
}

bool RollCall::SomeoneIsBlamed() {
  try {
    return store_->check({kDead});
  } catch (const std::exception&) {
    return false;
  }
}

int RollCall::FindMissing(std::chrono::milliseconds patience) {
  try {
    store_->set(Reported(rank_), std::vector<uint8_t>{1});
    const auto end = std::chrono::steady_clock::now() + patience;
    for (int rank = 0; rank < size_; ++rank) {
      while (!store_->check({Reported(rank)})) {
        if (store_->check({kDead})) return Blame(-1);
        if (std::chrono::steady_clock::now() > end) return Blame(rank);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
    return store_->check({kDead}) ? Blame(-1) : -1;
  } catch (const std::exception&) {
    return rank_ == 0 ? -1 : 0;  // the store went with the rank that served it
  }
}

}  // namespace gradwire
