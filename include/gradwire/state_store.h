// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gradwire/parameter.h"

namespace gradwire {

/// The vectors whose size is not their parameter's: where the power iteration of a link that iterates goes on.
inline constexpr std::string_view kQuery = "query";
/// The aggregate of the round before, around which receivers clip; also of parameters that travel dense.
inline constexpr std::string_view kCentre = "centre";

/// Allocates zeros as the system hands them out: pages that nobody writes take no memory, such as those of pieces that
/// other ranks own. For numbers.
template <typename T>
struct ZeroPages {
  using value_type = T;  // NOLINT(readability-identifier-naming): what allocators have
  T* allocate(size_t n) {
    if (void* const memory = std::calloc(n, sizeof(T))) return static_cast<T*>(memory);
    throw std::bad_alloc();
  }
  void deallocate(T* memory, size_t) { std::free(memory); }
  void construct(T*) {}  // it is 0 already
  template <typename U>
  void construct(T* place, U&& value) {
    *place = std::forward<U>(value);
  }
  bool operator==(const ZeroPages&) const { return true; }
};

/// The memory of a rank's links: named vectors, each as long as its parameter (but queries), keyed by parameter id and
/// never by bucket. An element belongs to the parameter's element of the same indices: a vector lies in the order that
/// the parameter has in its bucket, and is rearranged where that changes. T is float or double. Not thread-safe; the
/// exchange that owns it is used by one thread at a time.
template <typename T>
class StateStore {
 public:
  /// `rank`: of queries. A vector of the name kQuery is a matrix of min(rank, rows, columns) x columns of its
  /// parameter's matrix, that has a row for each index of the first dimension: its rows lie in the order of the
  /// parameter's.
  explicit StateStore(const std::vector<Parameter>& parameters, size_t rank = 0);

  /// Stands for a name, for all parameters and as long as the store lives.
  using Handle = size_t;
  Handle HandleOf(std::string_view name);

  /// The vector of a parameter, for reading and writing, zero at first use. The span stays valid until GoBack, SetOrder
  /// or Clear.
  std::span<T> Vector(uint32_t parameter, Handle handle);
  std::span<T> Vector(uint32_t parameter, std::string_view name) { return Vector(parameter, HandleOf(name)); }

  /// From here on the parameter's vectors lie in this order.
  void SetOrder(uint32_t parameter, const ElementOrder& order);
  const ElementOrder& order(uint32_t parameter) const { return orders_.at(parameter); }

  /// A copy of a vector that there is, and a new content, row by row whatever the order.
  std::vector<T> Read(uint32_t parameter, std::string_view name) const;
  void Write(uint32_t parameter, std::string_view name, std::span<const T> rows);

  /// Elements of a vector of that name.
  size_t NumelOf(uint32_t parameter, std::string_view name) const;

  /// Every vector there is, by parameter and name, as it lies.
  void ForEach(const std::function<void(uint32_t parameter, std::string_view name, std::span<const T>)>& visit) const;

  /// Forgets all vectors.
  void Clear();

  /// From here on GoBack can bring back what the vectors held; costs a copy of each one that is asked for.
  void Mark() { ++mark_; }
  /// Every vector as it was at the last Mark. The mark stays.
  void GoBack();

  /// ||.||^2 over all vectors of that name, in double.
  double SquaredNorm(std::string_view name) const;

 private:
  using Values = std::vector<T, ZeroPages<T>>;

  struct Memory {
    bool exists = false;
    Values now, before;
    uint64_t mark = 0;  // that `before` belongs to
  };

  std::vector<int64_t> ShapeOf(uint32_t parameter, std::string_view name) const;
  void Rearrange(std::span<const int64_t> shape, const ElementOrder& from, const ElementOrder& to,
                 Values& values) const;

  const Memory* Find(uint32_t parameter, std::string_view name) const;  // null: there is none

  const std::vector<Parameter>* parameters_;
  const size_t rank_;
  std::vector<ElementOrder> orders_;          // by parameter
  std::vector<std::vector<Memory>> vectors_;  // by parameter and handle
  std::map<std::string, Handle, std::less<>> handles_;
  std::vector<std::string> names_;  // by handle
  uint64_t mark_ = 0;
};

}  // namespace gradwire
