// SPDX-License-Identifier: Apache-2.0
// The only file that may depend on the version of torch (2.11 to 2.15).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/version.h>
#include <torch/csrc/distributed/c10d/reducer.hpp>

// Virtual functions of c10d::Backend that some of these versions lack, where no C10D_BACKEND_HAS_* of torch says so.
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 12
#define GRADWIRE_BACKEND_2_12  // suspend, resume, getMemoryStats
#endif
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 14
#define GRADWIRE_BACKEND_2_14  // the ..._single names and gather_into_tensor, addEphemeralTimeout, the bound device
#endif
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 15
#define GRADWIRE_BACKEND_2_15  // isInitialized, time estimates, completion hooks, supportsAbortHooks
#endif

namespace gradwire {

/// A Reducer as Python's DistributedDataParallel makes it. 2.11 has these twelve arguments; 2.12 appended one that has
/// a default (batched_grad_copy), so that no condition is needed so far.
inline std::shared_ptr<c10d::Reducer> MakeReducer(std::vector<at::Tensor> parameters,
                                                  std::vector<std::vector<size_t>> buckets,
                                                  c10::intrusive_ptr<c10d::ProcessGroup> group,
                                                  const std::vector<bool>& sparse, int64_t bucket_bytes,
                                                  int64_t first_bucket_bytes, bool find_unused_parameters,
                                                  std::unordered_map<size_t, std::string> names) {
  return std::make_shared<c10d::Reducer>(std::move(parameters), std::move(buckets), std::move(group), sparse,
                                         bucket_bytes, find_unused_parameters, /*gradient_as_bucket_view=*/true,
                                         std::move(names), first_bucket_bytes, /*skip_all_reduce_unused_params=*/false,
                                         /*use_python_reducer=*/false, std::vector<int64_t>{});
}

}  // namespace gradwire
