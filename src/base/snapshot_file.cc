// SPDX-License-Identifier: Apache-2.0
#include "base/snapshot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <xxhash.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is little-endian; a big-endian port must swap");

constexpr std::array<char, 8> kMagic = {'g', 'w', 's', 'n', 'a', 'p', '\r', '\n'};

struct Head {
  std::array<char, 8> magic = kMagic;
  uint32_t version = Snapshot::kVersion;
  uint32_t zero = 0;
  uint64_t size = sizeof(Head) + sizeof(uint64_t);
  uint64_t entries = 0;
};

struct EntryHead {
  uint32_t name_length = 0;
  uint32_t zero = 0;
  uint64_t data_length = 0;
};

template <typename V>
V At(std::span<const std::byte> bytes, size_t offset) {
  V value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

void Append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  const size_t begin = to.size();
  to.resize(begin + bytes.size());
  if (!bytes.empty()) std::memcpy(to.data() + begin, bytes.data(), bytes.size());
}

uint64_t Checksum(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

[[noreturn]] void Fail(const std::string& path, const std::string& what) {
  throw Error(fmt::format("{}: {}", path, what));
}
[[noreturn]] void FailErrno(const std::string& path, const char* doing) {
  Fail(path, fmt::format("cannot {} it ({}); check that the folder exists, may be written to and has room", doing,
                         std::strerror(errno)));
}

/// Closed, and where it is temporary removed, whatever happens.
class File {
 public:
  File(std::string path, int flags) : path_(std::move(path)), fd_(open(path_.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
    if (is_temporary) unlink(path_.c_str());
  }
  File(const File&) = delete;

  bool is_open() const { return fd_ >= 0; }
  bool Write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) return false;
      bytes = bytes.subspan(static_cast<size_t>(std::max<ssize_t>(written, 0)));
    }
    return true;
  }
  /// Up to as many bytes as there is room for; their number, or -1.
  ssize_t Read(std::span<std::byte> bytes) const {
    size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t got = read(fd_, bytes.data() + filled, bytes.size() - filled);
      if (got < 0 && errno != EINTR) return -1;
      if (got == 0) break;
      filled += static_cast<size_t>(std::max<ssize_t>(got, 0));
    }
    return static_cast<ssize_t>(filled);
  }
  bool Flush() const { return fsync(fd_) == 0; }
  bool Rename(const std::string& to) {
    if (std::rename(path_.c_str(), to.c_str()) != 0) return false;
    is_temporary = false;
    return true;
  }

  bool is_temporary = false;

 private:
  std::string path_;
  int fd_;
};

std::vector<std::byte> ReadAll(const std::string& path) {
  const File file(path, O_RDONLY);
  std::error_code failed;
  const uint64_t size = std::filesystem::file_size(path, failed);
  if (!file.is_open()) Fail(path, fmt::format("cannot be read ({})", std::strerror(errno)));
  if (failed) Fail(path, fmt::format("cannot be read ({})", failed.message()));
  std::vector<std::byte> bytes(size);
  const ssize_t got = file.Read(bytes);
  if (got < 0) Fail(path, fmt::format("cannot be read ({})", std::strerror(errno)));
  bytes.resize(static_cast<size_t>(got));
  return bytes;
}

/// The order of the checks is from what says most to what says least.
void CheckWhole(const std::string& path, std::span<const std::byte> bytes) {
  constexpr const char* kOurs = "expected a file that gradwire has written for a checkpoint";
  if (bytes.size() < sizeof(Head) + sizeof(uint64_t))
    Fail(path, fmt::format("truncated: found {} bytes, expected at least {}; {}", bytes.size(),
                           sizeof(Head) + sizeof(uint64_t), kOurs));
  const Head head = At<Head>(bytes, 0);
  if (head.magic != kMagic) Fail(path, fmt::format("its first bytes are foreign; {}", kOurs));
  if (head.version > Snapshot::kVersion)
    Fail(path, fmt::format("found version {} of the format, expected at most {}: it was written by a newer gradwire",
                           head.version, Snapshot::kVersion));
  if (head.size != bytes.size())
    Fail(path, fmt::format("{}: found {} bytes, expected {}", head.size > bytes.size() ? "truncated" : "too long",
                           bytes.size(), head.size));
  const std::span<const std::byte> summed = bytes.first(bytes.size() - sizeof(uint64_t));
  const uint64_t found = At<uint64_t>(bytes, summed.size()), expected = Checksum(summed);
  if (found != expected)
    Fail(path,
         fmt::format("damaged: found checksum {:016x}, expected {:016x} of what the file holds", found, expected));
  if (head.version != Snapshot::kVersion || head.zero != 0)
    Fail(path, fmt::format("found version {} of the format with {} in the field of zeros, expected {} and 0",
                           head.version, head.zero, Snapshot::kVersion));
}

}  // namespace

Snapshot::Snapshot() {
  const Head head;
  Append(image_, std::as_bytes(std::span(&head, 1)));
}

void Snapshot::PutBytes(std::string_view name, std::span<const std::byte> bytes) {
  const EntryHead entry{static_cast<uint32_t>(name.size()), 0, bytes.size()};
  const size_t begin = image_.size() + sizeof entry + name.size();
  if (!places_.emplace(name, std::pair(begin, bytes.size())).second)
    throw Error(fmt::format("snapshot: two entries '{}', expected one of a name", name));
  names_.emplace_back(name);
  Append(image_, std::as_bytes(std::span(&entry, 1)));
  Append(image_, std::as_bytes(std::span(name)));
  Append(image_, bytes);
  const Head head{.size = image_.size() + sizeof(uint64_t), .entries = names_.size()};
  std::memcpy(image_.data(), &head, sizeof head);
}

std::span<const std::byte> Snapshot::Bytes(std::string_view name) const {
  const auto found = places_.find(name);
  if (found == places_.end()) Fail(path_.empty() ? "snapshot" : path_, fmt::format("has no entry '{}'", name));
  return std::span(image_).subspan(found->second.first, found->second.second);
}

std::span<const std::byte> Snapshot::OfSize(std::string_view name, size_t size) const {
  const std::span<const std::byte> bytes = Bytes(name);
  if (bytes.size() != size)
    Fail(path_.empty() ? "snapshot" : path_,
         fmt::format("entry '{}' has {} bytes, expected {}", name, bytes.size(), size));
  return bytes;
}

std::string Snapshot::Text(std::string_view name) const {
  const std::span<const std::byte> bytes = Bytes(name);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void Snapshot::Write(const std::string& path) const {
  const uint64_t checksum = Checksum(image_);
  const std::string temporary = fmt::format("{}.tmp{}", path, getpid());
  File file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file.is_open()) FailErrno(temporary, "create");
  file.is_temporary = true;
  if (!file.Write(image_) || !file.Write(std::as_bytes(std::span(&checksum, 1)))) FailErrno(temporary, "write");
  if (!file.Flush()) FailErrno(temporary, "flush");
  if (!file.Rename(path)) FailErrno(path, "rename a temporary file to");
  FlushFolder(std::filesystem::path(path).parent_path().string());
}

Snapshot Snapshot::Read(const std::string& path) {
  Snapshot snapshot;
  snapshot.path_ = path;
  snapshot.image_ = ReadAll(path);
  CheckWhole(path, snapshot.image_);
  snapshot.image_.resize(snapshot.image_.size() - sizeof(uint64_t));
  snapshot.Index();
  return snapshot;
}

/// Finds the entries. A right checksum does not say who wrote the file: every length in it is checked.
void Snapshot::Index() {
  const auto entries = At<Head>(image_, 0).entries;
  size_t at = sizeof(Head);
  for (uint64_t i = 0; i < entries; ++i) {
    const std::string where = fmt::format("entry {} of {} at byte {}", i, entries, at);
    if (image_.size() - at < sizeof(EntryHead)) Fail(path_, where + " is cut off");
    const auto entry = At<EntryHead>(image_, at);
    at += sizeof entry;
    if (entry.zero != 0 || entry.name_length > image_.size() - at ||
        entry.data_length > image_.size() - at - entry.name_length)
      Fail(path_, where + " does not fit into the file");
    const std::string name(reinterpret_cast<const char*>(image_.data() + at), entry.name_length);
    at += entry.name_length;
    if (!places_.emplace(name, std::pair(at, entry.data_length)).second)
      Fail(path_, fmt::format("{} is a second '{}', expected one of a name", where, name));
    names_.push_back(name);
    at += entry.data_length;
  }
  if (at != image_.size()) Fail(path_, fmt::format("{} bytes follow the last entry", image_.size() - at));
}

void FlushFolder(const std::string& folder) {
  const File file(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (!file.is_open() || !file.Flush()) FailErrno(folder, "flush");
}

}  // namespace gradwire
