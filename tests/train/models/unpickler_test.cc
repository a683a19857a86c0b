// SPDX-License-Identifier: Apache-2.0
#include "train/models/unpickler.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

using std::string_literals::operator""s;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// The opcodes that torch.save(model.state_dict(), path) writes, here for an OrderedDict with an attribute and a tensor
/// "a", 2 x 3 at offset 1 of a storage of 7 elements. A string is an X, its length in 4 bytes, and itself.
std::string StateDictPickle() {
  return "\x80\x02"
         "ccollections\nOrderedDict\nq\0)Rq\x01("
         "X\x01\0\0\0aq\x02"
         "ctorch._utils\n_rebuild_tensor_v2\n(("
         "X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
         "0X\x03\0\0\0cpuK\x07tQK\x01K\x02K\x03\x86K\x03K\x01\x86\x89h\0)RtR"
         "u}X\x09\0\0\0_metadatah\0)Rsb."s;
}

at::Tensor FixedStorage(const std::string& storage_class, const std::string& record, int64_t numel) {
  if (storage_class != "torch.FloatStorage" || record != "0" || numel != 7) throw Error("another storage");
  return at::arange(7, at::kFloat);
}

TEST(UnpicklerTest, AStateDictIsADictOfTensors) {
  const std::string pickle = StateDictPickle();
  const auto dict = Unpickler(pickle, FixedStorage).Run().toGenericDict();
  ASSERT_EQ(dict.size(), 1u);
  EXPECT_TRUE(dict.at("a").toTensor().equal(at::arange(1, 7, at::kFloat).reshape({2, 3})));
}

TEST(UnpicklerTest, IntegersOfEveryWidth) {
  const std::string pickle = "\x80\x02(K\xffM\xff\xffJ\xff\xff\xff\xff\x8a\x02\x00\xff\x8a\x08\x01\0\0\0\0\0\0\x40t."s;
  std::vector<int64_t> values;
  const c10::IValue tuple = Unpickler(pickle, FixedStorage).Run();
  for (const auto& value : tuple.toTupleRef().elements()) values.push_back(value.toInt());
  EXPECT_EQ(values, (std::vector<int64_t>{255, 65535, -1, -256, (int64_t{1} << 62) + 1}));
}

/// What is thrown.
std::string Refusal(const std::string& pickle) {
  try {
    Unpickler(pickle, FixedStorage).Run();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

/// The same with the opcodes of protocol 4: a frame, short strings, names from the stack, and a memo that counts.
TEST(UnpicklerTest, NewerProtocolsAreRead) {
  for (const char protocol : {'\x04', '\x05'}) {
    const std::string pickle = "\x80"s + protocol +
                               "\x95\x77\0\0\0\0\0\0\0"
                               "\x8c\x0b"
                               "collections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94"
                               "\x8d\x01\0\0\0\0\0\0\0"
                               "a\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_v2\x93("
                               "(\x8c\x07storage\x8c\x05torch\x8c\x0c"
                               "FloatStorage\x93\x8c\x01"
                               "0\x8c\x03"
                               "cpuK\x07tQ"
                               "K\x01K\x02K\x03\x86K\x03K\x01\x86\x89h\x02)RtRs."s;
    const auto dict = Unpickler(pickle, FixedStorage).Run().toGenericDict();
    ASSERT_EQ(dict.size(), 1u);
    EXPECT_TRUE(dict.at("a").toTensor().equal(at::arange(1, 7, at::kFloat).reshape({2, 3})));
  }
}

TEST(UnpicklerTest, AnotherProtocolIsNamedWithWhatToDo) {
  EXPECT_THAT(Refusal("\x80\x06}."s), AllOf(HasSubstr("protocol 6"), HasSubstr("pickle_protocol=2")));
  EXPECT_THAT(Refusal("(dp0\n."s), AllOf(HasSubstr("protocol 0 or 1"), HasSubstr("pickle_protocol=2")));
}

/// Hundreds of thousands of levels would end the process where they are taken apart again.
TEST(UnpicklerTest, NestingHasALimit) {
  const auto tuples = [](size_t depth) { return "\x80\x02)"s + std::string(depth - 1, '\x85') + "."; };
  EXPECT_EQ(Refusal(tuples(Unpickler::kMostDepth)), "nothing thrown");
  EXPECT_THAT(Refusal(tuples(Unpickler::kMostDepth + 1)), HasSubstr("more than 16 deep"));
  std::string dicts = "\x80\x02}";
  for (int i = 0; i < 200000; ++i) dicts += "K\x01}";  // a dict in a dict in a dict ...
  for (int i = 0; i < 200000; ++i) dicts += "s";
  EXPECT_EQ(Refusal(dicts + "."), "nothing thrown") << "what a dict holds beside tensors is not kept";
}

TEST(UnpicklerTest, NoOtherFunctionIsCalled) {
  EXPECT_THAT(Refusal("\x80\x02"
                      "cposix\nsystem\nX\x04\0\0\0true\x85R."s),
              HasSubstr("posix.system"));
}

// Nothing but an exception or some value may come of it; the run of this test is the assertion.
TEST(UnpicklerTest, DamagedBytesDoNoHarm) {
  const std::string good = StateDictPickle();
  size_t refused = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bad = good;
      bad[at] = static_cast<char>(byte);
      try {
        Unpickler(bad, FixedStorage).Run();
      } catch (const std::exception&) {
        ++refused;
      }
    }
    EXPECT_ANY_THROW(Unpickler(good.substr(0, at), FixedStorage).Run()) << "cut to " << at << " bytes";
  }
  EXPECT_GT(refused, good.size() * 100);
}

}  // namespace
}  // namespace gradwire::train
