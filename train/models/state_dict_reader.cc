// SPDX-License-Identifier: Apache-2.0
#include "train/models/state_dict_reader.h"

#include <filesystem>
#include <string_view>
#include <unordered_map>

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>

#include "gradwire/error.h"
#include "train/models/unpickler.h"

namespace gradwire::train {
namespace {

using caffe2::serialize::PyTorchStreamReader;

constexpr size_t kMostPickleBytes = size_t{64} << 20;

at::ScalarType DtypeOf(const std::string& storage_class) {
  static const std::unordered_map<std::string, at::ScalarType> dtypes = {
      {"torch.FloatStorage", at::kFloat}, {"torch.DoubleStorage", at::kDouble},     {"torch.HalfStorage", at::kHalf},
      {"torch.LongStorage", at::kLong},   {"torch.BFloat16Storage", at::kBFloat16}, {"torch.IntStorage", at::kInt},
      {"torch.ShortStorage", at::kShort}, {"torch.CharStorage", at::kChar},         {"torch.ByteStorage", at::kByte},
      {"torch.BoolStorage", at::kBool}};
  const auto found = dtypes.find(storage_class);
  if (found == dtypes.end()) throw Error("it holds a tensor of " + storage_class + ", which is not supported");
  return found->second;
}

at::Tensor ReadStorage(PyTorchStreamReader& archive, const std::string& storage_class, const std::string& name,
                       int64_t numel) {
  const at::ScalarType dtype = DtypeOf(storage_class);
  const std::string record = "data/" + name;
  const size_t bytes = archive.getRecordSize(record);
  if (numel < 0 || bytes / c10::elementSize(dtype) != static_cast<uint64_t>(numel)) {
    throw Error("its record " + record + " has " + std::to_string(bytes) + " bytes, expected " + std::to_string(numel) +
                " elements of " + storage_class);
  }
  const at::Tensor storage = at::empty({numel}, at::TensorOptions(dtype));
  archive.getRecord(record, storage.data_ptr(), storage.nbytes());
  return storage;
}

std::map<std::string, at::Tensor> Read(const std::string& path) {
  PyTorchStreamReader archive(path);
  if (const size_t found = archive.getRecordSize("data.pkl"); found > kMostPickleBytes)
    throw Error("its pickle has " + std::to_string(found) + " bytes, expected at most " +
                std::to_string(kMostPickleBytes) + ", which is room for the names of 300,000 tensors");
  const auto [pickle, size] = archive.getRecord("data.pkl");
  const auto read_storage = [&archive](const std::string& storage_class, const std::string& name, int64_t numel) {
    return ReadStorage(archive, storage_class, name, numel);
  };
  const c10::IValue root = Unpickler({static_cast<const char*>(pickle.get()), size}, read_storage).Run();
  if (!root.isGenericDict()) throw Error("it holds no dict");
  std::map<std::string, at::Tensor> state;
  for (const auto& item : root.toGenericDict()) {
    if (!item.key().isString()) throw Error("a key of its dict is no string");
    const std::string name = item.key().toStringRef();
    if (!item.value().isTensor()) throw Error("its entry '" + name + "' is no tensor");
    state.emplace(name, item.value().toTensor());
  }
  return state;
}

}  // namespace

std::map<std::string, at::Tensor> ReadStateDict(const std::string& path) {
  const std::string where = "weights: '" + path + "'";
  const std::string expected = "; expected a file written by torch.save(model.state_dict(), path)";
  if (!std::filesystem::is_regular_file(path)) throw Error(where + ": there is no such file" + expected);
  try {
    return Read(path);
  } catch (const Error& error) {
    throw Error(where + " is no state_dict: " + error.what() + expected);
  } catch (const std::exception& error) {  // c10::Error of the archive or an IValue, std::out_of_range of the memo
    const std::string_view what = error.what();
    throw Error(where + " is no checkpoint, or damaged: " + std::string(what.substr(0, what.find('\n'))) + expected);
  }
}

}  // namespace gradwire::train
