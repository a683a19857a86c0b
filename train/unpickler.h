// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/core/ivalue.h>
#include <torch/csrc/jit/serialization/pickler_helper.h>

namespace gradwire::train {

/// The part of Python's pickle machine (protocol 2, see Lib/pickletools.py) that a state_dict needs: dicts, tuples,
/// numbers, strings and tensors. A class or function is no more than its name, and Reduce() carries out the three that
/// it knows, so that no file can call anything else.
class Unpickler {
 public:
  /// Gives the flat tensor that a storage reference (storage class, record name, number of elements) stands for.
  using StorageReader = std::function<at::Tensor(const std::string&, const std::string&, int64_t)>;

  /// `pickle` must outlive the object.
  Unpickler(std::string_view pickle, StorageReader read_storage)
      : pickle_(pickle), read_storage_(std::move(read_storage)) {}

  /// The pickled object. Throws Error when it needs more than the above, std::exception of any kind when the bytes are
  /// damaged.
  c10::IValue Run();

 private:
  // Each carries out `opcode`, or returns false where it is none of its kind.
  bool PushConstant(torch::jit::PickleOpCode opcode);
  bool PushTuple(torch::jit::PickleOpCode opcode);
  bool UseMemo(torch::jit::PickleOpCode opcode);
  bool Build(torch::jit::PickleOpCode opcode);

  void SetItems(const std::vector<c10::IValue>& items);
  void Reduce();
  at::Tensor Storage(const c10::IValue& reference);

  std::string_view Take(size_t size);
  template <typename T>
  T Read();
  std::string ReadLine();
  c10::IValue& Top();
  c10::IValue Pop();
  std::vector<c10::IValue> PopLast(size_t count);
  std::vector<c10::IValue> PopMarked();

  std::string_view pickle_;  // what is still to be read
  StorageReader read_storage_;
  std::vector<c10::IValue> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, c10::IValue> memo_;
};

}  // namespace gradwire::train
