// SPDX-License-Identifier: Apache-2.0
#include "hooks/own_reduction.h"

#include <algorithm>

#include "exchange/topologies.h"
#include "hooks/reducer_view.h"

namespace gradwire {

bool SufficesDdpsOwn(const CommConfig& comm, const ExchangeParts& parts) {
  return parts.compressor->is_identity() && FindTopology(parts.topology).sums && !parts.prox &&
         comm.timeout_s == CommConfig{}.timeout_s;
}

OwnReduction::OwnReduction(const std::shared_ptr<c10d::Reducer>& reducer)
    : reducer_(reducer),
      first_(ReducerView(*reducer).dense_bytes()),
      had_rebuilt_(ReducerView(*reducer).has_rebuilt()),
      before_(ReducerView(*reducer).reduced()) {}

uint64_t OwnReduction::Reduced() const {
  const auto reducer = reducer_.lock();
  return reducer ? ReducerView(*reducer).reduced() - before_ : 0;
}

std::map<uint32_t, BucketTotals> OwnReduction::Totals(int world_size) const {
  std::map<uint32_t, BucketTotals> totals;
  const auto reducer = reducer_.lock();
  if (!reducer) return totals;
  const auto n = static_cast<uint64_t>(world_size);
  const auto add = [&](const std::vector<uint64_t>& bytes, uint64_t times) {
    for (size_t i = 0; i < bytes.size() && times > 0; ++i) {
      if (bytes[i] == 0) continue;  // of a sparse gradient
      BucketTotals& bucket = totals[static_cast<uint32_t>(i)];
      bucket.pushes += times;
      bucket.dense_bytes += 2 * times * bytes[i] * (n - 1) / n;
      bucket.exchange.payload_bytes = bucket.dense_bytes;
    }
  };
  const uint64_t reduced = Reduced();
  const bool rebuilt = !had_rebuilt_ && ReducerView(*reducer).has_rebuilt();
  if (rebuilt) add(first_, std::min<uint64_t>(reduced, 1));
  add(ReducerView(*reducer).dense_bytes(), rebuilt && reduced > 0 ? reduced - 1 : reduced);
  return totals;
}

}  // namespace gradwire
