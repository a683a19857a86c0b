// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "message/link_end.h"
#include "newton/newton_method.h"

namespace gradwire {

/// The way of a server's point to workers, who hold z: z <- what the link makes of x. Both ends are here, since every
/// rank is the server; messages are packed, counted and unpacked, and go nowhere. Not thread-safe.
class ModelEnd {
 public:
  /// `worker`: who receives; of messages that all workers get, 0. Both ends hold `start`.
  ModelEnd(const ExchangeParts& parts, std::span<const double> start, uint32_t worker);

  void Send(uint64_t step, std::span<const double> x);
  std::span<const double> z() const { return z_; }
  const ExchangeStats& stats() const { return end_.stats(); }

  LinkEnd<double>::Memory Save() const { return end_.Save(); }
  void Load(const LinkEnd<double>::Memory& memory, std::span<const double> z);

 private:
  LinkEnd<double> end_;
  std::vector<double> z_;
};

}  // namespace gradwire
