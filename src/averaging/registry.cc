// SPDX-License-Identifier: Apache-2.0
#include "averaging/registry.h"

#include <map>

namespace gradwire {
namespace {

constexpr uint64_t kMemberBytes = 4, kTimeBytes = 8;

class MemoryRegistry final : public Registry {
 public:
  explicit MemoryRegistry(std::function<double()> now) : now_(std::move(now)) {}

  void Announce(const std::string& key, uint32_t member, double seconds) override {
    const double now = now_();
    if (now >= sweep_) Sweep(now, seconds);
    ends_[key][member] = now + seconds;
    Count(key.size() + kMemberBytes + kTimeBytes);
  }

  std::vector<uint32_t> Members(const std::string& key) override {
    std::vector<uint32_t> members;
    const double now = now_();
    if (const auto found = ends_.find(key); found != ends_.end())
      for (const auto& [member, end] : found->second)
        if (now < end) members.push_back(member);
    Count(key.size() + members.size() * (kMemberBytes + kTimeBytes));
    return members;
  }

  RegistryStats stats() const override { return stats_; }

 private:
  /// Takes away who is over, not oftener than once in a member's time.
  void Sweep(double now, double seconds) {
    for (auto& [key, members] : ends_) std::erase_if(members, [&](const auto& member) { return now >= member.second; });
    std::erase_if(ends_, [](const auto& key) { return key.second.empty(); });
    sweep_ = now + seconds;
  }
  void Count(uint64_t bytes) { ++stats_.requests, stats_.bytes += bytes; }

  const std::function<double()> now_;
  std::map<std::string, std::map<uint32_t, double>> ends_;  // by key and member
  double sweep_ = 0;
  RegistryStats stats_;
};

}  // namespace

std::unique_ptr<Registry> MakeMemoryRegistry(std::function<double()> now) {
  return std::make_unique<MemoryRegistry>(std::move(now));
}

}  // namespace gradwire
