// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <span>
#include <type_traits>
#include <vector>

namespace gradwire {

/// Scratch memory that is allocated once and reused: Take() hands out stretches, a Scope gives back what was taken
/// during its life. Contents are undefined. Not thread-safe: one per thread.
class Scratch {
 public:
  class Scope {
   public:
    explicit Scope(Scratch& scratch) : scratch_(scratch), chunk_(scratch.chunk_), used_(scratch.used_) {}
    ~Scope() { scratch_.chunk_ = chunk_, scratch_.used_ = used_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Scratch& scratch_;
    size_t chunk_, used_;
  };
  using Frame = Scope;  ///< its former name

  /// `n` elements, aligned to 64 bytes; valid until the enclosing Scope ends.
  template <typename T>
  std::span<T> Take(size_t n) {
    return {reinterpret_cast<T*>(TakeBytes(n * sizeof(T))), n};
  }
  /// The same with values in them: T{}.
  template <typename T>
  std::span<T> Make(size_t n) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 64);
    const std::span<T> made = Take<T>(n);
    std::uninitialized_value_construct(made.begin(), made.end());
    return made;
  }

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> memory;
    std::byte* base = nullptr;
    size_t size = 0;
  };
  std::byte* TakeBytes(size_t n);

  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;
  size_t used_ = 0;
};

/// Where memory lies.
enum class Device : uint8_t { kHost };

/// Bytes of a message, aligned to 16.
struct Buffer {
  std::unique_ptr<std::byte[]> memory;
  size_t size = 0;
  Device device = Device::kHost;

  std::span<std::byte> bytes() const { return {memory.get(), size}; }
  explicit operator bool() const { return memory != nullptr; }
};

/// Keeps the buffers of messages for the next ones of about the same size, and the memory of what says where they go.
/// Not thread-safe.
class BufferPool {
 public:
  BufferPool();
  /// Its contents are undefined.
  Buffer Take(size_t size);
  void GiveBack(Buffer buffer);
  void Clear() { free_.clear(); }
  /// Bytes of the buffers that were taken and not given back.
  size_t taken() const { return taken_; }
  /// For lists that come and go with messages: what they give back, the next ones take.
  std::pmr::memory_resource& lists() { return lists_; }

 private:
  std::pmr::unsynchronized_pool_resource lists_;
  std::pmr::multimap<size_t, Buffer> free_;  // by room
  size_t taken_ = 0;
};

/// What an operator, and who packs messages, may use while it runs. One per thread.
struct Lane {
  Scratch scratch;
  BufferPool buffers;
};

}  // namespace gradwire
