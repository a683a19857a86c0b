// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "exchange/core.h"
#include "exchange/pack.h"
#include "gradwire/error.h"
#include "gradwire/wire.h"

namespace gradwire {
namespace {

/// Every rank sends its message to every other one and averages all n, its own among them, in rank order.
template <typename T>
class AllGatherFlight final : public Flight<T> {
 public:
  AllGatherFlight(ExchangeCore<T>& core, uint64_t step, const Bucket<T>& bucket, std::shared_ptr<const BucketPlan> plan)
      : core_(core), step_(step), bucket_(bucket), plan_(std::move(plan)) {
    for (int r = 0; r < core.collective.size(); ++r) messages_.push_back(TakeBuffer());
  }

  ~AllGatherFlight() override {
    if (under_way_) return;
    for (auto& buffer : messages_) core_.free_buffers.emplace(plan_->message_bytes, std::move(buffer));
  }

  void Start() override {
    PackOwn();
    Send();
  }

  void Finish() override {
    {
      const Timer timer(core_.stats.wire_s);
      core_.collective.Finish(ticket_);
    }
    under_way_ = false;
    const Timer timer(core_.stats.decode_s);
    if (OpenAll()) std::fill(bucket_.values.begin(), bucket_.values.end(), std::numeric_limits<T>::quiet_NaN());
    else Average();
  }

 private:
  int size() const { return core_.collective.size(); }
  int rank() const { return core_.collective.rank(); }

  std::unique_ptr<std::byte[]> TakeBuffer() {
    const auto found = core_.free_buffers.extract(plan_->message_bytes);
    if (!found.empty()) return std::move(found.mapped());
    return std::make_unique_for_overwrite<std::byte[]>(plan_->message_bytes);
  }

  std::span<std::byte> Message(int r) { return {messages_[static_cast<size_t>(r)].get(), plan_->message_bytes}; }

  Frame FrameOf(int sender) const {
    Frame frame;
    frame.token = core_.token;
    frame.step = step_;
    frame.bucket = bucket_.index;
    frame.sender = static_cast<uint32_t>(sender);
    frame.layout = plan_->layout;
    frame.payloads = static_cast<uint32_t>(plan_->pieces.size());
    return frame;
  }

  void PackOwn() {
    const Timer timer(core_.stats.encode_s);
    Frame frame = FrameOf(rank());
    if (Pack<T>(core_, *plan_, step_, bucket_.values, Message(rank()))) frame.flags |= Frame::kPoisoned;
    Seal(frame, Message(rank()));
  }

  void Send() {
    const Timer timer(core_.stats.wire_s);
    std::vector<Outgoing> outgoing;
    std::vector<Incoming> incoming;
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      outgoing.push_back({peer, Message(rank())});
      incoming.push_back({peer, Message(peer)});
    }
    under_way_ = true;
    ticket_ = core_.collective.Start(outgoing, incoming);
    core_.stats.frame_bytes += sizeof(Frame) * outgoing.size();
    core_.stats.payload_bytes += ticket_.bytes_sent - sizeof(Frame) * outgoing.size();
  }

  /// Checks every frame; returns whether any rank's bucket was poisoned.
  bool OpenAll() {
    bool poisoned = false;
    for (int r = 0; r < size(); ++r) poisoned |= (Open(Message(r), FrameOf(r)).flags & Frame::kPoisoned) != 0;
    return poisoned;
  }

  void Average() {
    std::vector<std::span<const std::byte>> messages;
    for (int r = 0; r < size(); ++r) messages.push_back(Message(r));
    const std::vector<T> weights(messages.size(), static_cast<T>(1.0 / size()));
    Unpack<T>(core_, *plan_, step_, messages, weights, bucket_.values);
  }

  ExchangeCore<T>& core_;
  const uint64_t step_;
  const Bucket<T> bucket_;
  const std::shared_ptr<const BucketPlan> plan_;
  std::vector<std::unique_ptr<std::byte[]>> messages_;  // by rank
  Ticket ticket_;
  bool under_way_ = false;
};

template <typename T>
std::shared_ptr<const BucketPlan> PlanFor(ExchangeCore<T>& core, const Bucket<T>& bucket) {
  std::shared_ptr<const BucketPlan>& plan = core.plans[bucket.index];
  const auto same = [](const Segment& a, const Segment& b) {
    return a.parameter == b.parameter && a.offset == b.offset && a.numel == b.numel;
  };
  if (!plan || !std::ranges::equal(plan->segments, bucket.segments, same)) {
    plan = std::make_shared<BucketPlan>(MakePlan(core.parts, core.parameters, bucket));
    core.free_buffers.clear();  // sizes of the old layout
  }
  return plan;
}

}  // namespace

template <typename T>
std::unique_ptr<Flight<T>> MakeAllGather(ExchangeCore<T>& core, uint64_t step, const Bucket<T>& bucket) {
  return std::make_unique<AllGatherFlight<T>>(core, step, bucket, PlanFor(core, bucket));
}

template std::unique_ptr<Flight<float>> MakeAllGather(ExchangeCore<float>&, uint64_t, const Bucket<float>&);
template std::unique_ptr<Flight<double>> MakeAllGather(ExchangeCore<double>&, uint64_t, const Bucket<double>&);

}  // namespace gradwire
