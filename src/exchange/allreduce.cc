// SPDX-License-Identifier: Apache-2.0
#include "exchange/core.h"

namespace gradwire {
namespace {

/// The whole bucket, dense, summed on the way. Multiplies by 1/n first, as DDP does without a hook: dividing, or
/// scaling afterwards, differs in the last bit.
template <typename T>
class AllReduceFlight final : public Flight<T> {
 public:
  AllReduceFlight(ExchangeCore<T>& core, const Bucket<T>& bucket) : core_(core), values_(bucket.values) {}

  void Start() override {
    const T scale = static_cast<T>(1.0 / core_.collective.size());
    for (T& x : values_) x *= scale;
    const Timer timer(core_.stats.wire_s);
    ticket_ = core_.collective.StartAllReduce(values_);
    core_.stats.payload_bytes += ticket_.bytes_sent;
  }

  void Finish() override {
    const Timer timer(core_.stats.wire_s);
    core_.collective.Finish(ticket_);
  }

 private:
  ExchangeCore<T>& core_;
  const std::span<T> values_;
  Ticket ticket_;
};

}  // namespace

template <typename T>
std::unique_ptr<Flight<T>> MakeAllReduce(ExchangeCore<T>& core, const Bucket<T>& bucket) {
  return std::make_unique<AllReduceFlight<T>>(core, bucket);
}

template std::unique_ptr<Flight<float>> MakeAllReduce(ExchangeCore<float>&, const Bucket<float>&);
template std::unique_ptr<Flight<double>> MakeAllReduce(ExchangeCore<double>&, const Bucket<double>&);

}  // namespace gradwire
