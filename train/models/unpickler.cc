// SPDX-License-Identifier: Apache-2.0
#include "train/models/unpickler.h"

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
  CheckProtocol(pickle_.starts_with('\x80') && pickle_.size() > 1 ? static_cast<unsigned char>(pickle_[1]) : 0);
  for (;;) {
    const auto opcode = Read<PickleOpCode>();
    if (opcode == PickleOpCode::STOP) return Pop();
    if (!PushConstant(opcode) && !PushTuple(opcode) && !UseMemo(opcode) && !Build(opcode)) {
      throw Error("it holds other Python objects than named tensors (pickle opcode " +
                  std::to_string(static_cast<unsigned char>(opcode)) + ")");
    }
  }
}

void Unpickler::CheckProtocol(unsigned found) {
  if (found >= 2 && found <= 5) return;
  const std::string what = found == 0 ? "0 or 1, or damaged" : std::to_string(found);
  throw Error("its pickle is of protocol " + what + ", expected 2 to 5: torch.save(state, path, pickle_protocol=2)");
}

bool Unpickler::PushConstant(PickleOpCode opcode) {
  switch (opcode) {
    case PickleOpCode::NONE: Push({}); return true;
    case PickleOpCode::NEWTRUE: Push(true); return true;
    case PickleOpCode::NEWFALSE: Push(false); return true;
    case PickleOpCode::BININT1: Push(int64_t{Read<uint8_t>()}); return true;
    case PickleOpCode::BININT2: Push(int64_t{Read<uint16_t>()}); return true;
    case PickleOpCode::BININT: Push(int64_t{Read<int32_t>()}); return true;
    case PickleOpCode::LONG1: Push(SignExtend(Take(Read<uint8_t>()))); return true;
    case PickleOpCode::BINUNICODE: Push(std::string(Take(Read<uint32_t>()))); return true;
    case PickleOpCode::SHORT_BINUNICODE: Push(std::string(Take(Read<uint8_t>()))); return true;
    case PickleOpCode::BINUNICODE8: Push(std::string(Take(Read<uint64_t>()))); return true;
    case PickleOpCode::EMPTY_DICT: Push(NewDict()); return true;
    case PickleOpCode::GLOBAL: {
      const std::string module = ReadLine();
      Push(module + "." + ReadLine());
      return true;
    }
    case PickleOpCode::STACK_GLOBAL: {
      const std::string name = Pop().toStringRef();
      Push(Pop().toStringRef() + "." + name);
      return true;
    }
    default: return false;
  }
}

bool Unpickler::PushTuple(PickleOpCode opcode) {
  std::vector<Item> items;
  switch (opcode) {
    case PickleOpCode::EMPTY_TUPLE: break;
    case PickleOpCode::TUPLE1: items = PopLast(1); break;
    case PickleOpCode::TUPLE2: items = PopLast(2); break;
    case PickleOpCode::TUPLE3: items = PopLast(3); break;
    case PickleOpCode::TUPLE: items = PopMarked(); break;
    default: return false;
  }
  size_t depth = 0;
  std::vector<IValue> values;
  for (Item& item : items) {
    depth = std::max(depth, item.depth);
    values.push_back(std::move(item.value));
  }
  if (depth == kMostDepth)
    throw Error("its pickle nests tuples more than " + std::to_string(kMostDepth) + " deep, which no state_dict does");
  Push(c10::ivalue::Tuple::create(std::move(values)), depth + 1);
  return true;
}

bool Unpickler::UseMemo(PickleOpCode opcode) {
  switch (opcode) {
    case PickleOpCode::BINPUT: memo_[Read<uint8_t>()] = Top(); return true;
    case PickleOpCode::LONG_BINPUT: memo_[Read<uint32_t>()] = Top(); return true;
    case PickleOpCode::MEMOIZE: {
      const auto next = static_cast<uint32_t>(memo_.size());
      memo_[next] = Top();
      return true;
    }
    case PickleOpCode::BINGET: stack_.push_back(memo_.at(Read<uint8_t>())); return true;
    case PickleOpCode::LONG_BINGET: stack_.push_back(memo_.at(Read<uint32_t>())); return true;
    default: return false;
  }
}

bool Unpickler::Build(PickleOpCode opcode) {
  switch (opcode) {
    case PickleOpCode::PROTO: Take(1); return true;
    case PickleOpCode::FRAME: Take(sizeof(uint64_t)); return true;  // how long the next opcodes are in all
    case PickleOpCode::MARK: marks_.push_back(stack_.size()); return true;
    case PickleOpCode::SETITEM: SetItems(PopLast(2)); return true;
    case PickleOpCode::SETITEMS: SetItems(PopMarked()); return true;
    case PickleOpCode::BINPERSID: Push(Storage(Pop())); return true;
    case PickleOpCode::REDUCE: Reduce(); return true;
    case PickleOpCode::BUILD: Pop(); return true;  // attributes of the object below: a state_dict's _metadata, unused
    default: return false;
  }
}

void Unpickler::SetItems(const std::vector<Item>& items) {
  if (items.size() % 2 != 0) Damaged();
  c10::impl::GenericDict dict = Top().value.toGenericDict();
  for (size_t i = 0; i < items.size(); i += 2) {
    const IValue &key = items[i].value, &value = items[i + 1].value;
    dict.insert_or_assign(key.isString() ? key : IValue(int64_t{0}), value.isTensor() ? value : IValue());
  }
}

/// Calls a function, by name, with a tuple of arguments.
void Unpickler::Reduce() {
  const IValue tuple = Pop();
  const std::string function = Pop().toStringRef();
  const auto& args = tuple.toTupleRef().elements();
  if (function == "collections.OrderedDict") {
    Push(NewDict());
  } else if (function == "torch._utils._rebuild_parameter") {  // (tensor, requires_grad, hooks)
    Push(args.at(0).toTensor());
  } else if (function == "torch._utils._rebuild_tensor_v2") {  // (storage, offset, size, stride, ...)
    const at::Tensor& storage = args.at(0).toTensor();
    Push(storage.as_strided(Integers(args.at(2)), Integers(args.at(3)), args.at(1).toInt()));
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

Unpickler::Item& Unpickler::Top() {
  if (stack_.empty()) Damaged();
  return stack_.back();
}

IValue Unpickler::Pop() {
  IValue top = std::move(Top().value);
  stack_.pop_back();
  return top;
}

std::vector<Unpickler::Item> Unpickler::PopLast(size_t count) {
  if (count > stack_.size()) Damaged();
  const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<Item> items(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
  stack_.erase(first, stack_.end());
  return items;
}

std::vector<Unpickler::Item> Unpickler::PopMarked() {
  if (marks_.empty() || marks_.back() > stack_.size()) Damaged();
  const size_t count = stack_.size() - marks_.back();
  marks_.pop_back();
  return PopLast(count);
}

}  // namespace gradwire::train
