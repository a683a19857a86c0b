// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gradwire/collective.h"

namespace gradwire::testing {

/// Passes every call on: the base of collectives that watch or disturb another one.
class ForwardingCollective : public Collective {
 public:
  explicit ForwardingCollective(Collective& inner) : inner_(inner) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  using Collective::Start;
  uint64_t Reserve() override { return inner_.Reserve(); }
  Ticket Start(uint64_t id, std::span<const Outgoing> outgoing, std::span<const Incoming> incoming) override {
    return inner_.Start(id, outgoing, incoming);
  }
  Ticket StartAllReduce(std::span<float> values) override { return inner_.StartAllReduce(values); }
  Ticket StartAllReduce(std::span<double> values) override { return inner_.StartAllReduce(values); }
  void Finish(const Ticket& ticket) override { inner_.Finish(ticket); }
  void Cancel() override { inner_.Cancel(); }
  std::vector<std::string> GatherText(std::string_view text) override { return inner_.GatherText(text); }
  std::unique_ptr<Collective> MakeGroup(std::span<const int> ranks, const std::string& name) override {
    return inner_.MakeGroup(ranks, name);
  }

 private:
  Collective& inner_;
};

}  // namespace gradwire::testing
