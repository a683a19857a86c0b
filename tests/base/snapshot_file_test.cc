// SPDX-License-Identifier: Apache-2.0
#include "base/snapshot_file.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include "gradwire/error.h"

namespace gradwire {
namespace {

using testing::HasSubstr;

class SnapshotFile : public testing::Test {
 protected:
  SnapshotFile() : folder_(testing::TempDir() + "snapshot." + std::to_string(getpid())), path_(folder_ + "/rank0") {
    std::filesystem::create_directories(folder_);
  }
  ~SnapshotFile() override { std::filesystem::remove_all(folder_); }

  static Snapshot Small() {
    Snapshot snapshot;
    snapshot.Put("e", std::span<const float>(std::array{1.5f, -2.0f}));
    snapshot.PutValue("step", uint64_t{7});
    return snapshot;
  }

  std::string Written() {
    Small().Write(path_);
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void Store(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  /// With a checksum that fits: what somebody else's program may write.
  void StoreSealed(std::string bytes) {
    bytes.resize(bytes.size() - 8);
    const uint64_t sum = XXH3_64bits(bytes.data(), bytes.size());
    Store(bytes.append(reinterpret_cast<const char*>(&sum), 8));
  }

  /// The message; empty where the file was read.
  std::string Refusal() {
    try {
      Snapshot::Read(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::string folder_, path_;
};

TEST_F(SnapshotFile, GivesBackWhatWasPut) {
  Snapshot snapshot = Small();
  snapshot.Put("nothing", std::span<const double>());
  snapshot.Put("text", std::span<const char>(std::string_view("a\nb")));
  snapshot.Write(path_);
  const Snapshot read = Snapshot::Read(path_);
  EXPECT_EQ(read.names(), (std::vector<std::string>{"e", "step", "nothing", "text"}));
  std::array<float, 2> e{};
  read.Fill("e", std::span<float>(e));
  EXPECT_EQ(e, (std::array{1.5f, -2.0f}));
  EXPECT_EQ(read.Value<uint64_t>("step"), 7u);
  EXPECT_EQ(read.Bytes("nothing").size(), 0u);
  EXPECT_EQ(read.Text("text"), "a\nb");
  EXPECT_FALSE(read.Has("h"));
}

TEST_F(SnapshotFile, EmptyOneIsFine) {
  Snapshot().Write(path_);
  EXPECT_TRUE(Snapshot::Read(path_).names().empty());
}

/// By hand from the description in the header.
TEST_F(SnapshotFile, BytesAreAsDescribed) {
  const std::string bytes = Written();
  const auto number = [&](size_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    return value;
  };
  EXPECT_EQ(bytes.substr(0, 8), "gwsnap\r\n");
  EXPECT_EQ(number(8, 4), 1u);
  EXPECT_EQ(number(16, 8), bytes.size());
  EXPECT_EQ(number(24, 8), 2u);
  EXPECT_EQ(number(32, 4), 1u);
  EXPECT_EQ(number(40, 8), 8u);
  EXPECT_EQ(bytes[48], 'e');
  EXPECT_EQ(number(49, 4), 0x3fc00000u);  // 1.5 in IEEE 754
  EXPECT_EQ(bytes.substr(57 + 16, 4), "step");
  EXPECT_EQ(bytes.size(), 32u + (16 + 1 + 8) + (16 + 4 + 8) + 8);
}

TEST_F(SnapshotFile, EveryTruncationIsRefused) {
  const std::string whole = Written();
  for (size_t length = 0; length < whole.size(); ++length) {
    Store(whole.substr(0, length));
    EXPECT_THAT(Refusal(), HasSubstr(path_ + ": truncated: found " + std::to_string(length) + " bytes")) << length;
  }
  Store(whole + '\0');
  EXPECT_THAT(Refusal(), HasSubstr("too long"));
}

TEST_F(SnapshotFile, EveryFlippedByteIsRefused) {
  const std::string whole = Written();
  for (size_t at = 0; at < whole.size(); ++at)
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = whole;
      damaged[at] ^= flip;
      Store(damaged);
      EXPECT_THAT(Refusal(), HasSubstr(path_ + ": ")) << at;
    }
}

TEST_F(SnapshotFile, ForeignAndNewerFilesAreNamedAsSuch) {
  std::string bytes = Written();
  bytes[8] = 2;
  Store(bytes);
  EXPECT_THAT(Refusal(), HasSubstr("found version 2 of the format, expected at most 1: it was written by a newer"));
  Store(std::string(100, 'x'));
  EXPECT_THAT(Refusal(), HasSubstr("foreign"));
  std::filesystem::remove(path_);
  EXPECT_THAT(Refusal(), HasSubstr(path_ + ": cannot be read (No such file or directory)"));
}

/// A right checksum does not make the rest right.
TEST_F(SnapshotFile, SealedNonsenseIsRefused) {
  const std::string whole = Written();
  const auto refusal_with = [&](size_t at, char value) {
    std::string bytes = whole;
    bytes[at] = value;
    StoreSealed(bytes);
    return Refusal();
  };
  EXPECT_THAT(refusal_with(12, 1), HasSubstr("field of zeros"));
  EXPECT_THAT(refusal_with(8, 0), HasSubstr("found version 0"));
  EXPECT_THAT(refusal_with(24, 1), HasSubstr("bytes follow the last entry"));
  EXPECT_THAT(refusal_with(24, 3), HasSubstr("entry 2 of 3 at byte 85 is cut off"));
  EXPECT_THAT(refusal_with(35, '\x7f'), HasSubstr("does not fit"));
  EXPECT_THAT(refusal_with(47, '\x7f'), HasSubstr("does not fit"));
  EXPECT_EQ(refusal_with(24, 2), "");
}

TEST_F(SnapshotFile, MissingAndMisshapenEntriesAreErrors) {
  Snapshot snapshot = Small();
  EXPECT_THROW(snapshot.PutValue("e", 1), Error);
  EXPECT_THROW(snapshot.Bytes("h"), Error);
  EXPECT_THROW(snapshot.Value<uint32_t>("step"), Error);
}

TEST_F(SnapshotFile, NothingIsLeftWhereItCannotBeWritten) {
  EXPECT_THROW(Small().Write(folder_ + "/none/rank0"), Error);
  std::filesystem::create_directory(path_);  // cannot be replaced by a file
  EXPECT_THROW(Small().Write(path_), Error);
  std::filesystem::remove(path_);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(SnapshotFile, OldOneIsReplacedAsAWhole) {
  Written();
  Snapshot other;
  other.PutValue("step", uint64_t{8});
  other.Write(path_);
  EXPECT_EQ(Snapshot::Read(path_).Value<uint64_t>("step"), 8u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace gradwire
