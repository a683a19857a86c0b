// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "gradwire/error.h"
#include "kernels/isa.h"

namespace gradwire::kernels {
namespace {

constexpr const char* kVariable = "GRADWIRE_FORCE_ISA";

/// What this machine runs, for a message.
std::string Runnable() {
  std::vector<std::string_view> names;
  for (const Isa* isa : Isas())
    if (isa->runs()) names.push_back(isa->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

const std::vector<const Isa*>& Isas() {
  static const std::vector<const Isa*> isas = [] {
    std::vector<const Isa*> list = {kAvx512, kAvx2, kNeon, kScalar};
    std::erase(list, nullptr);
    return list;
  }();
  return isas;
}

const std::vector<std::string_view>& Names() {
  static const std::vector<std::string_view> names = {
#define GRADWIRE_KERNEL(name, result, parameters, arguments) #name,
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL
  };
  return names;
}

const Isa& IsaFor(std::string_view forced) {
  const auto found =
      std::ranges::find_if(Isas(), [&](const Isa* isa) { return forced.empty() ? isa->runs() : isa->name == forced; });
  if (found == Isas().end())
    throw ConfigError(fmt::format("environment: {}={}: no such instruction set; expected one of {}; or unset it",
                                  kVariable, forced, Runnable()));
  if (!(*found)->runs())
    throw ConfigError(fmt::format("environment: {}={}: this machine cannot run it; expected one of {}; or unset it",
                                  kVariable, forced, Runnable()));
  return **found;
}

Fetching FetchingOf([[maybe_unused]] bool has_residual, [[maybe_unused]] bool computes) {
#if defined(__x86_64__)
  static const bool is_intel = __builtin_cpu_is("intel");
  return is_intel ? Fetching::kAll : has_residual && computes ? Fetching::kGradient : Fetching::kNothing;
#else
  return Fetching::kNothing;
#endif
}

const Isa& Use(const Isa& isa) {
  const Isa& before = ActiveIsa();
  internal::active = &isa;
  return before;
}

const Isa& FromEnvironment() {
  const char* forced = std::getenv(kVariable);
  if (forced != nullptr && *forced == '\0')
    throw ConfigError(fmt::format("environment: {} is empty; expected one of {}; or unset it", kVariable, Runnable()));
  return IsaFor(forced ? forced : "");
}

const Isa& internal::Choose() {
  const Isa& isa = FromEnvironment();
  active = &isa;
  return isa;
}

}  // namespace gradwire::kernels
