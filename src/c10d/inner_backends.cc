// SPDX-License-Identifier: Apache-2.0
#include "c10d/inner_backends.h"

#include <algorithm>

namespace gradwire {
namespace {

std::string Name(c10::DeviceType type) { return c10::DeviceTypeName(type, /*lower_case=*/true); }

std::string Place(const c10d::Backend& backend) {
  return "rank " + std::to_string(backend.getRank()) + " of " + std::to_string(backend.getSize());
}

}  // namespace

InnerBackends::InnerBackends(const std::vector<std::pair<c10::DeviceType, Ptr>>& served) {
  if (served.empty())
    throw ConfigError("gradwire's backend needs an inner one, such as Gloo for the cpu: none is given");
  for (const auto& [type, backend] : served) {
    if (!backend) throw ConfigError("gradwire's inner backend for " + Name(type) + " is null");
    if (Find(type)) throw ConfigError("gradwire's backend has two inner ones for " + Name(type) + ": pass one");
    served_.emplace_back(type, backend);
    if (std::find(all_.begin(), all_.end(), backend) == all_.end()) all_.push_back(backend);
    if (!main_ && type != c10::DeviceType::CPU) main_ = backend;
    if (Place(*backend) != Place(*all_[0]))
      throw ConfigError("gradwire's inner backend for " + Name(type) + " is " + Place(*backend) + ", that for " +
                        Name(served_[0].first) + " is " + Place(*all_[0]) + ": make both for the same group");
  }
  if (!main_) main_ = all_[0];
}

c10d::Backend* InnerBackends::Find(c10::DeviceType type) const {
  for (const auto& [served, backend] : served_)
    if (served == type) return backend.get();
  return nullptr;
}

std::string InnerBackends::Served() const {
  std::string names;
  for (const auto& [type, backend] : served_)
    names += (names.empty() ? "" : ", ") + Name(type) + " (" + backend->getBackendName() + ")";
  return names;
}

c10d::Backend& InnerBackends::For(c10::DeviceType type, const char* call) const {
  if (c10d::Backend* backend = Find(type)) return *backend;
  throw Error("gradwire's backend, " + Place(main()) + ": " + call + " was called for " + Name(type) +
              ", but this process group serves " + Served() +
              ". Move the tensors to a device that is served, or make the group with an inner backend for " +
              Name(type));
}

c10d::Backend& InnerBackends::ForCpuOrMain() const {
  c10d::Backend* cpu = Find(c10::DeviceType::CPU);
  return cpu ? *cpu : main();
}

c10d::Backend& InnerBackends::ForBarrier(const c10d::BarrierOptions& options, std::optional<at::Device> bound,
                                         const char* call) const {
  if (options.device) return For(options.device->type(), call);
  if (!options.device_ids.empty()) return main();
  c10d::Backend* of_bound = bound ? Find(bound->type()) : nullptr;
  return of_bound ? *of_bound : ForCpuOrMain();
}

c10d::Backend& InnerBackends::Single(const char* call) const {
  if (single()) return main();
  throw Error("gradwire's backend, " + Place(main()) + ": " + call +
              " does not say for which device, but this group serves " + Served() +
              ". Use a group for one type of device");
}

}  // namespace gradwire
