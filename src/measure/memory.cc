// SPDX-License-Identifier: Apache-2.0
#include "measure/memory.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <new>
#include <numbers>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "base/philox.h"

namespace gradwire {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLayer = 131072;

/// The number behind "Name:" in a file of the system's, in kB there.
size_t KilobytesAt(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1));
  return 0;
}

}  // namespace

Floats::Floats(size_t numel) : numel_(numel) {
  const size_t bytes = (numel * sizeof(float) + kHugePage - 1) / kHugePage * kHugePage;
  memory_.reset(static_cast<float*>(std::aligned_alloc(kHugePage, std::max(bytes, kHugePage))));
  if (!memory_) throw std::bad_alloc();
#if defined(__linux__)
  madvise(memory_.get(), std::max(bytes, kHugePage), MADV_HUGEPAGE);
#endif
  Philox random(1, Purpose::kSynthetic);
  for (float& value : span()) value = 1 + static_cast<float>(random.Next()) * 0x1p-32f;
}

void FillWithGradient(std::span<float> out, uint64_t seed, size_t shift) {
  Philox random(seed, Purpose::kSynthetic, 1);
  for (size_t begin = 0; begin < out.size(); begin += kLayer) {
    const double radius = std::sqrt(-2 * std::log1p(-random.Uniform()));
    const double scale = 1e-3 * std::exp(radius * std::cos(2 * std::numbers::pi * random.Uniform()));
    for (float& value : out.subspan(begin, std::min(kLayer, out.size() - begin))) {
      const double x = random.Uniform() - 0.5;
      value = static_cast<float>(std::copysign(scale * std::log1p(-2 * std::abs(x)), x));
    }
  }
  if (!out.empty()) std::ranges::rotate(out, out.begin() + static_cast<std::ptrdiff_t>(shift % out.size()));
}

size_t LastLevelCacheBytes() {
  size_t largest = 0;
  for (int index = 0; index < 8; ++index) {
    std::ifstream in("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
    size_t kilobytes = 0;
    if (in >> kilobytes) largest = std::max(largest, kilobytes << 10);
  }
  return largest;
}

size_t AvailableBytes() { return KilobytesAt("/proc/meminfo", "MemAvailable") << 10; }

size_t HugePageBytes() { return KilobytesAt("/proc/self/smaps_rollup", "AnonHugePages") << 10; }

}  // namespace gradwire
