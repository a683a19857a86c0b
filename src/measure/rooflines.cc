// SPDX-License-Identifier: Apache-2.0
#include "measure/rooflines.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace gradwire {
namespace {

constexpr size_t kStep = 16;  // floats of a cache line

#if defined(__SSE2__)
using Vector = __m128;
Vector Load(const float* from) { return _mm_load_ps(from); }
Vector Constant(float value) { return _mm_set1_ps(value); }
void Stream(float* to, Vector value) { _mm_stream_ps(to, value); }
void Fence() { _mm_sfence(); }
#else
struct Vector {
  float lanes[4];
};
Vector Load(const float* from) { return {from[0], from[1], from[2], from[3]}; }
Vector Constant(float value) { return {value, value, value, value}; }
void Stream(float* to, const Vector& value) { std::memcpy(to, &value, sizeof(value)); }
void Fence() {}
#endif
constexpr size_t kLanes = 4;

/// Every bit counts, so that no load can be left out; without an order of sums that would hold back the loads.
uint32_t Read(std::span<const float> v) {
  uint32_t sums[kStep] = {};
  for (size_t i = 0; i < v.size(); i += kStep) {
    uint32_t words[kStep];
    std::memcpy(words, &v[i], sizeof(words));
    for (size_t k = 0; k < kStep; ++k) sums[k] ^= words[k];
  }
  uint32_t sum = 0;
  for (const uint32_t part : sums) sum ^= part;
  return sum;
}

void Copy(std::span<const float> v, std::span<float> out) {
  for (size_t i = 0; i < v.size(); i += kLanes) Stream(&out[i], Load(&v[i]));
  Fence();
}

void Write(std::span<float> out) {
  const Vector value = Constant(1.5f);
  for (size_t i = 0; i < out.size(); i += kLanes) Stream(&out[i], value);
  Fence();
}

void Update(std::span<const float> v, std::span<float> out) {
  for (size_t i = 0; i < v.size(); ++i) out[i] += v[i];
}

volatile uint32_t sink;

}  // namespace

std::string_view NameOf(Roofline roofline) {
  switch (roofline) {
    case Roofline::kRead: return "read";
    case Roofline::kCopy: return "copy";
    case Roofline::kWrite: return "write";
    case Roofline::kUpdate: return "update";
  }
  return "";
}

size_t BytesAFloat(Roofline roofline) {
  switch (roofline) {
    case Roofline::kRead:
    case Roofline::kWrite: return 4;
    case Roofline::kCopy: return 8;
    case Roofline::kUpdate: return 12;
  }
  return 0;
}

void Pass(Roofline roofline, std::span<const float> v, std::span<float> out) {
  const size_t whole = v.size() / kStep * kStep;
  v = v.first(whole), out = out.first(whole);
  switch (roofline) {
    case Roofline::kRead: sink = Read(v); break;
    case Roofline::kCopy: Copy(v, out); break;
    case Roofline::kWrite: Write(out); break;
    case Roofline::kUpdate: Update(v, out); break;
  }
}

}  // namespace gradwire
