// SPDX-License-Identifier: Apache-2.0
// Bytes from a peer are checked before they are believed: a message that is not exactly the expected one is a PeerError
// that names its sender, its bucket and what is wrong.
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"
#include "wire/wire.h"

namespace gradwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Frame Expected() {
  Frame frame;
  frame.token = 0x1122334455667788, frame.step = 9, frame.bucket = 7, frame.sender = 3;
  frame.layout = 0x99aabbccddeeff00;
  return frame;
}

/// A good message: a frame and 48 bytes.
std::vector<std::byte> Message(Frame frame = Expected()) {
  std::vector<std::byte> message(sizeof(Frame) + 48);
  for (size_t i = sizeof(Frame); i < message.size(); ++i) message[i] = static_cast<std::byte>(i * 31);
  Seal(frame, message);
  return message;
}

/// What Open says to it; empty where it accepts. Fails unless it blames rank 3 by number and in words.
std::string Refusal(std::span<const std::byte> message) {
  const std::vector<std::byte> exact(message.begin(), message.end());
  try {
    Open(exact, Expected());
    return {};
  } catch (const PeerError& error) {
    EXPECT_EQ(error.rank(), 3);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("rank 3"), HasSubstr("bucket 7"), HasSubstr("step 9")));
    return error.what();
  }
}

TEST(Frame, GoodMessageIsAccepted) {
  EXPECT_EQ(Refusal(Message()), "");
  const Frame frame = Open(Message(), Expected());
  EXPECT_EQ(frame.size, 48u);
  EXPECT_EQ(frame.flags, 0);
}

struct Field {
  const char* name;
  size_t offset;
  size_t size;
};

/// FORMAT.md's table.
const std::vector<Field> kFields = {{"magic", 0, 4},  {"version", 4, 2},  {"flags", 6, 2},   {"token", 8, 8},
                                    {"step", 16, 8},  {"channel", 24, 4}, {"bucket", 28, 4}, {"sender", 32, 4},
                                    {"rates", 36, 4}, {"size", 40, 8},    {"layout", 48, 8}, {"checksum", 56, 8},
                                    {"tag", 64, 16}};

TEST(Frame, EveryBitOfEveryFieldIsChecked) {
  size_t covered = 0;
  for (const Field& field : kFields) {
    EXPECT_EQ(field.offset, covered);
    covered += field.size;
    for (size_t bit = 0; bit < 8 * field.size; ++bit) {
      std::vector<std::byte> message = Message();
      message[field.offset + bit / 8] ^= std::byte{static_cast<unsigned char>(1u << bit % 8)};
      const std::string name = field.name;
      const bool may_be = (name == "flags" && bit == 0) || name == "rates";  // allowed, but not what was sealed
      EXPECT_THAT(Refusal(message), HasSubstr((may_be ? "checksum" : name) + " is 0x")) << "bit " << bit;
    }
  }
  EXPECT_EQ(covered, sizeof(Frame));
}

TEST(Frame, RefusalStatesWhatWasFoundAndExpected) {
  Frame other = Expected();
  other.step = 8;
  EXPECT_THAT(Refusal(Message(other)), HasSubstr("step is 0x8, expected 0x9: the ranks are out of step"));
}

TEST(Frame, DamagedPayloadIsRefused) {
  for (size_t bit = 0; bit < 8 * 48; ++bit) {
    std::vector<std::byte> message = Message();
    message[sizeof(Frame) + bit / 8] ^= std::byte{static_cast<unsigned char>(1u << bit % 8)};
    EXPECT_THAT(Refusal(message), HasSubstr("checksum")) << bit;
  }
}

TEST(Frame, TruncatedMessageIsRefusedAtEveryLength) {
  const std::vector<std::byte> message = Message();
  for (size_t length = 0; length < message.size(); ++length)
    EXPECT_THAT(Refusal(std::span(message).first(length)), HasSubstr("truncated")) << length;
}

TEST(Frame, MessageThatIsTooLongIsRefused) {
  for (const size_t more : {1, 16, 1000}) {
    std::vector<std::byte> message = Message();
    message.resize(message.size() + more);
    EXPECT_THAT(Refusal(message), HasSubstr("too long")) << more;
  }
}

TEST(Frame, RandomBytesAreRefused) {
  std::vector<std::byte> message(200);
  for (int round = 0; round < 1000; ++round) {
    for (size_t i = 0; i < message.size(); ++i)
      message[i] = static_cast<std::byte>((round + 1) * (i + 7) * 2654435761u >> 24);
    EXPECT_NE(Refusal(message), "");
  }
}

}  // namespace
}  // namespace gradwire
