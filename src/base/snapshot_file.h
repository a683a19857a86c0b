// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradwire {

/// Named bytes that are written to a file and come back whole or not at all. Not thread-safe.
///
/// The file, little-endian, version 1:
///
///     0   8  magic "gwsnap\r\n"
///     8   4  version
///     12  4  zero
///     16  8  size of the file in bytes, the checksum among them
///     24  8  number of entries
///     32     the entries, one behind another without gaps:
///               4  length of the name    4  zero    8  length of the data    the name    the data
///     -8  8  XXH3-64 of all bytes before it, without a seed
///
/// Entries have an order, and no two have the same name.
class Snapshot {
 public:
  static constexpr uint32_t kVersion = 1;

  Snapshot();

  /// Appends an entry. Throws Error where there is one of that name.
  void PutBytes(std::string_view name, std::span<const std::byte> bytes);
  template <typename T>
  void Put(std::string_view name, std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    PutBytes(name, std::as_bytes(values));
  }
  template <typename T>
  void PutValue(std::string_view name, const T& value) {
    Put(name, std::span<const T>(&value, 1));
  }

  bool Has(std::string_view name) const { return places_.contains(name); }
  /// The names of the entries, in their order in the file.
  const std::vector<std::string>& names() const { return names_; }
  /// Valid until the next Put. Throws Error where there is none of that name.
  std::span<const std::byte> Bytes(std::string_view name) const;
  /// Copies an entry; throws Error where it has another size.
  template <typename T>
  void Fill(std::string_view name, std::span<T> values) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::span<const std::byte> bytes = OfSize(name, values.size_bytes());
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  }
  template <typename T>
  T Value(std::string_view name) const {
    T value;
    Fill(name, std::span<T>(&value, 1));
    return value;
  }
  std::string Text(std::string_view name) const;

  /// Where it was read from, for messages; empty for one that was not.
  const std::string& path() const { return path_; }

  /// The file appears whole or not at all, and lasts when this returns: it is written beside `path`, flushed to the
  /// disk and renamed, and the folder is flushed as well. Throws Error that names the path and the reason.
  void Write(const std::string& path) const;

  /// Throws Error that names the file, what was found and what was expected: it cannot be read, is foreign, of another
  /// version, truncated or damaged.
  static Snapshot Read(const std::string& path);

 private:
  std::span<const std::byte> OfSize(std::string_view name, size_t size) const;
  void Index();

  std::vector<std::byte> image_;  // the file but for its checksum
  std::vector<std::string> names_;
  std::map<std::string, std::pair<size_t, size_t>, std::less<>> places_;  // of the data: begin and length
  std::string path_;
};

/// Flushes a folder's list of names to the disk: what was made or renamed in it lasts. Throws Error.
void FlushFolder(const std::string& folder);

}  // namespace gradwire
