// SPDX-License-Identifier: Apache-2.0
#include "newton/model_end.h"

namespace gradwire {

constexpr uint64_t kToken = 0x6d6f64656c;  // both ends are in this process

ModelEnd::ModelEnd(const ExchangeParts& parts, std::span<const double> start, uint32_t worker)
    : end_({{"model", {static_cast<int64_t>(start.size())}}}, parts, static_cast<int>(worker), kToken, Purpose::kDown),
      z_(start.begin(), start.end()) {
  LinkEnd<double>::Memory memory = end_.Save();
  for (SavedVector<double>& vector : memory.vectors)
    if (vector.name != "e") vector.values = z_;  // estimates, and the last point
  end_.Load(memory);
}

void ModelEnd::Send(uint64_t step, std::span<const double> x) { end_.Unpack(step, 1, end_.Pack(step, 1, x), z_); }

void ModelEnd::Load(const LinkEnd<double>::Memory& memory, std::span<const double> z) {
  end_.Load(memory);
  z_.assign(z.begin(), z.end());
}

}  // namespace gradwire
