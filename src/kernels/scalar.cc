// SPDX-License-Identifier: Apache-2.0
#include "kernels/isa.h"
#include "kernels/scalar/all.h"

namespace gradwire::kernels {
namespace {

template <typename T>
constexpr Table<T> kTable = {
#define GRADWIRE_KERNEL(name, result, parameters, arguments) .name = scalar::name<T>,
#include "kernels/kernels.inc"
#undef GRADWIRE_KERNEL
};

constexpr Isa kIsa = {"scalar", [] { return true; }, kTable<float>, kTable<double>};

}  // namespace

const Isa* const kScalar = &kIsa;

}  // namespace gradwire::kernels
