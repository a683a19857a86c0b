// SPDX-License-Identifier: Apache-2.0
#include "train/unpickler.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include <ATen/ATen.h>

#include "gradwire/error.h"

namespace gradwire::train {
namespace {

using c10::IValue;
using torch::jit::PickleOpCode;

[[noreturn]] void Damaged() { throw Error("its pickle is damaged"); }

IValue NewDict() { return c10::impl::GenericDict(c10::AnyType::get(), c10::AnyType::get()); }

/// Little-endian two's complement of any length, as pickle writes integers beyond 32 bits.
int64_t SignExtend(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > sizeof(int64_t)) Damaged();
  int64_t value = static_cast<signed char>(bytes.back()) < 0 ? -1 : 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  return value;
}

std::vector<int64_t> Integers(const IValue& tuple) {
  std::vector<int64_t> integers;
  for (const IValue& item : tuple.toTupleRef().elements()) integers.push_back(item.toInt());
  return integers;
}

}  // namespace

IValue Unpickler::Run() {
  for (;;) {
    const auto opcode = Read<PickleOpCode>();
    if (opcode == PickleOpCode::STOP) return Pop();
    if (!PushConstant(opcode) && !PushTuple(opcode) && !UseMemo(opcode) && !Build(opcode)) {
      throw Error("it holds other Python objects than named tensors (pickle opcode " +
                  std::to_string(static_cast<unsigned char>(opcode)) + ")");
    }
  }
}

bool Unpickler::PushConstant(PickleOpCode opcode) {
  switch (opcode) {
    case PickleOpCode::NONE: stack_.emplace_back(); return true;
    case PickleOpCode::NEWTRUE: stack_.emplace_back(true); return true;
    case PickleOpCode::NEWFALSE: stack_.emplace_back(false); return true;
    case PickleOpCode::BININT1: stack_.emplace_back(int64_t{Read<uint8_t>()}); return true;
    case PickleOpCode::BININT2: stack_.emplace_back(int64_t{Read<uint16_t>()}); return true;
    case PickleOpCode::BININT: stack_.emplace_back(int64_t{Read<int32_t>()}); return true;
    case PickleOpCode::LONG1: stack_.emplace_back(SignExtend(Take(Read<uint8_t>()))); return true;
    case PickleOpCode::BINUNICODE: stack_.emplace_back(std::string(Take(Read<uint32_t>()))); return true;
    case PickleOpCode::EMPTY_DICT: stack_.push_back(NewDict()); return true;
    case PickleOpCode::GLOBAL: {
      const std::string module = ReadLine();
      stack_.emplace_back(module + "." + ReadLine());
      return true;
    }
    default: return false;
  }
}

bool Unpickler::PushTuple(PickleOpCode opcode) {
  std::vector<IValue> items;
  switch (opcode) {
    case PickleOpCode::EMPTY_TUPLE: break;
    case PickleOpCode::TUPLE1: items = PopLast(1); break;
    case PickleOpCode::TUPLE2: items = PopLast(2); break;
    case PickleOpCode::TUPLE3: items = PopLast(3); break;
    case PickleOpCode::TUPLE: items = PopMarked(); break;
    default: return false;
  }
  stack_.emplace_back(c10::ivalue::Tuple::create(std::move(items)));
  return true;
}

bool Unpickler::UseMemo(PickleOpCode opcode) {
  switch (opcode) {
    case PickleOpCode::BINPUT: memo_[Read<uint8_t>()] = Top(); return true;
    case PickleOpCode::LONG_BINPUT: memo_[Read<uint32_t>()] = Top(); return true;
    case PickleOpCode::BINGET: stack_.push_back(memo_.at(Read<uint8_t>())); return true;
    case PickleOpCode::LONG_BINGET: stack_.push_back(memo_.at(Read<uint32_t>())); return true;
    default: return false;
  }
}

bool Unpickler::Build(PickleOpCode opcode) {
  switch (opcode) {
    case PickleOpCode::PROTO: Take(1); return true;
    case PickleOpCode::MARK: marks_.push_back(stack_.size()); return true;
    case PickleOpCode::SETITEM: SetItems(PopLast(2)); return true;
    case PickleOpCode::SETITEMS: SetItems(PopMarked()); return true;
    case PickleOpCode::BINPERSID: stack_.emplace_back(Storage(Pop())); return true;
    case PickleOpCode::REDUCE: Reduce(); return true;
    case PickleOpCode::BUILD: Pop(); return true;  // attributes of the object below: a state_dict's _metadata, unused
    default: return false;
  }
}

void Unpickler::SetItems(const std::vector<IValue>& items) {
  if (items.size() % 2 != 0) Damaged();
  c10::impl::GenericDict dict = Top().toGenericDict();
  for (size_t i = 0; i < items.size(); i += 2) dict.insert_or_assign(items[i], items[i + 1]);
}

/// Calls a function, by name, with a tuple of arguments.
void Unpickler::Reduce() {
  const IValue tuple = Pop();
  const std::string function = Pop().toStringRef();
  const auto& args = tuple.toTupleRef().elements();
  if (function == "collections.OrderedDict") {
    stack_.push_back(NewDict());
  } else if (function == "torch._utils._rebuild_parameter") {  // (tensor, requires_grad, hooks)
    stack_.push_back(args.at(0));
  } else if (function == "torch._utils._rebuild_tensor_v2") {  // (storage, offset, size, stride, ...)
    const at::Tensor& storage = args.at(0).toTensor();
    stack_.emplace_back(storage.as_strided(Integers(args.at(2)), Integers(args.at(3)), args.at(1).toInt()));
  } else {
    throw Error("it holds other Python objects than named tensors (" + function + ")");
  }
}

/// `reference` is ("storage", storage class, record, device, number of elements).
at::Tensor Unpickler::Storage(const IValue& reference) {
  const auto& parts = reference.toTupleRef().elements();
  return read_storage_(parts.at(1).toStringRef(), parts.at(2).toStringRef(), parts.at(4).toInt());
}

std::string_view Unpickler::Take(size_t size) {
  if (size > pickle_.size()) Damaged();
  const std::string_view taken = pickle_.substr(0, size);
  pickle_.remove_prefix(size);
  return taken;
}

template <typename T>
T Unpickler::Read() {  // little-endian, as are all machines that this is built for
  T value;
  std::memcpy(&value, Take(sizeof(T)).data(), sizeof(T));
  return value;
}

std::string Unpickler::ReadLine() {
  const std::string line(Take(std::min(pickle_.find('\n'), pickle_.size())));
  Take(1);
  return line;
}

IValue& Unpickler::Top() {
  if (stack_.empty()) Damaged();
  return stack_.back();
}

IValue Unpickler::Pop() {
  IValue top = std::move(Top());
  stack_.pop_back();
  return top;
}

std::vector<IValue> Unpickler::PopLast(size_t count) {
  if (count > stack_.size()) Damaged();
  const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<IValue> items(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
  stack_.erase(first, stack_.end());
  return items;
}

std::vector<IValue> Unpickler::PopMarked() {
  if (marks_.empty() || marks_.back() > stack_.size()) Damaged();
  const size_t count = stack_.size() - marks_.back();
  marks_.pop_back();
  return PopLast(count);
}

}  // namespace gradwire::train
