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

/// The part of Python's pickle machine (protocols 2 to 5, see Lib/pickletools.py) that a state_dict needs: dicts of
/// tensors, tuples, numbers and strings. A class or function is no more than its name, and Reduce() carries out the
/// three that it knows, so that no file can call anything else. Of what a dict holds, tensors are kept and all else is
/// None, so that dicts do not nest; tuples nest kMostDepth deep at most.
class Unpickler {
 public:
  static constexpr size_t kMostDepth = 16;

  /// Gives the flat tensor that a storage reference (storage class, record name, number of elements) stands for.
  using StorageReader = std::function<at::Tensor(const std::string&, const std::string&, int64_t)>;

  /// `pickle` must outlive the object.
  Unpickler(std::string_view pickle, StorageReader read_storage)
      : pickle_(pickle), read_storage_(std::move(read_storage)) {}

  /// The pickled object. Throws Error when it needs more than the above, std::exception of any kind when the bytes are
  /// damaged.
  c10::IValue Run();

 private:
  struct Item {
    c10::IValue value;
    size_t depth = 0;  // of tuples in it
  };

  // Each carries out `opcode`, or returns false where it is none of its kind.
  bool PushConstant(torch::jit::PickleOpCode opcode);
  bool PushTuple(torch::jit::PickleOpCode opcode);
  bool UseMemo(torch::jit::PickleOpCode opcode);
  bool Build(torch::jit::PickleOpCode opcode);

  void CheckProtocol(unsigned found);
  void Push(c10::IValue value, size_t depth = 0) { stack_.push_back({std::move(value), depth}); }
  void SetItems(const std::vector<Item>& items);
  void Reduce();
  at::Tensor Storage(const c10::IValue& reference);

  std::string_view Take(size_t size);
  template <typename T>
  T Read();
  std::string ReadLine();
  Item& Top();
  c10::IValue Pop();
  std::vector<Item> PopLast(size_t count);
  std::vector<Item> PopMarked();

  std::string_view pickle_;  // what is still to be read
  StorageReader read_storage_;
  std::vector<Item> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Item> memo_;
};

}  // namespace gradwire::train
