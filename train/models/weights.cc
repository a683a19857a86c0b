// SPDX-License-Identifier: Apache-2.0
#include "train/models/weights.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

#include <c10/util/StringUtil.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/pickler.h>
#include <torch/nn/module.h>

#include "base/names.h"
#include "gradwire/error.h"
#include "train/models/state_dict_reader.h"

namespace gradwire::train {
namespace {

namespace fs = std::filesystem;

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// Parameters and buffers under their full names, in the order of Python's state_dict(): a module's own before its
/// children's. They share memory with the module.
void Collect(const torch::nn::Module& module, const std::string& prefix, NamedTensors& state) {
  for (const auto& item : module.named_parameters(/*recurse=*/false)) {
    state.emplace_back(prefix + item.key(), item.value().detach());
  }
  for (const auto& item : module.named_buffers(/*recurse=*/false)) {
    state.emplace_back(prefix + item.key(), item.value().detach());
  }
  for (const auto& item : module.named_children()) Collect(*item.value(), prefix + item.key() + ".", state);
}

NamedTensors StateOf(const torch::nn::Module& module) {
  NamedTensors state;
  Collect(module, "", state);
  return state;
}

/// The zip archive that torch.save makes: data.pkl and a record of raw bytes per tensor. libtorch's pickle_save tags
/// the dict with its TorchScript type, which weights_only=True refuses; hence a Pickler without tags.
void WriteArchive(const NamedTensors& state, std::ostream& file) {
  c10::Dict<std::string, at::Tensor> dict;
  for (const auto& [name, tensor] : state) dict.insert(name, tensor.cpu().contiguous());
  std::string pickle;
  torch::jit::Pickler pickler([&pickle](const char* bytes, size_t size) { pickle.append(bytes, size); },
                              /*tensor_table=*/nullptr, /*type_renamer=*/nullptr, /*memoized_class_types=*/nullptr,
                              /*get_tensor_id=*/nullptr, /*tag_aggregates=*/false);
  pickler.protocol();
  pickler.pushIValue(dict);
  pickler.stop();

  caffe2::serialize::PyTorchStreamWriter writer([&file](const void* bytes, size_t size) {
    file.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
    return size;  // a failure stays in the stream's state, which the caller checks
  });
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  size_t record = 0;
  for (const at::Tensor& tensor : pickler.tensorData()) {
    writer.writeRecord("data/" + std::to_string(record++), tensor.storage().data(), tensor.storage().nbytes());
  }
  writer.writeEndOfFile();
}

/// "missing: a, b, c, d, e and 4 more; "
std::string Listing(const char* title, const std::vector<std::string>& names) {
  constexpr size_t kMost = 5;
  if (names.empty()) return "";
  std::string text = std::string("\n  ") + title + ": ";
  for (size_t i = 0; i < names.size() && i < kMost; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > kMost ? text + " and " + std::to_string(names.size() - kMost) + " more" : text;
}

/// Whether it counts batches. Only batch norm without a momentum reads that; files from before torch 0.4.1 lack it, and
/// some tools drop it.
bool IsCounter(const std::string& name) { return name.ends_with(".num_batches_tracked"); }

/// The file's tensors under the names of the plain model.
std::map<std::string, at::Tensor> Unwrapped(std::map<std::string, at::Tensor> found) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : found) names.push_back(name);
  const std::vector<std::string> plain = CanonicalNames(names);
  std::map<std::string, at::Tensor> state;
  for (size_t i = 0; i < names.size(); ++i) state.emplace(plain[i], found.at(names[i]));
  return state;
}

/// What keeps `found` from being loaded into `state`; empty when nothing does.
std::string Differences(const NamedTensors& state, std::map<std::string, at::Tensor> found) {
  std::vector<std::string> missing, unexpected, reshaped;
  for (const auto& [name, tensor] : state) {
    const auto entry = found.extract(name);
    if (entry.empty()) {
      if (!IsCounter(name)) missing.push_back(name);
    } else if (entry.mapped().sizes() != tensor.sizes()) {
      reshaped.push_back(c10::str(name, " (expected ", tensor.sizes(), ", found ", entry.mapped().sizes(), ")"));
    }
  }
  for (const auto& [name, tensor] : found) unexpected.push_back(name);
  return Listing("missing in the file", missing) + Listing("unknown to the model", unexpected) +
         Listing("of another shape", reshaped);
}

}  // namespace

void SaveStateDict(const torch::nn::Module& module, const std::string& path) {
  const std::string temporary = path + ".tmp" + std::to_string(getpid());
  std::ofstream file(temporary, std::ios::binary);
  if (file) WriteArchive(StateOf(module), file);
  file.close();
  std::error_code failure;
  if (file) fs::rename(temporary, path, failure);
  if (!file || failure) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw Error("weights: cannot write '" + path + "': expected a folder that exists, may be written to and has room");
  }
}

void LoadStateDict(torch::nn::Module& module, const std::string& path) {
  const NamedTensors state = StateOf(module);
  const std::map<std::string, at::Tensor> found = Unwrapped(ReadStateDict(path));
  const std::string differences = Differences(state, found);
  if (!differences.empty()) throw Error("weights: '" + path + "' is of another model:" + differences);
  for (const auto& [name, tensor] : state) {
    const auto entry = found.find(name);
    entry == found.end() ? tensor.zero_() : tensor.copy_(entry->second);
  }
}

}  // namespace gradwire::train
