// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace gradwire {

/// The `comm:` section: how gradients cross the wire. The same names and meanings at every door (trainer, hook, backend).
struct CommConfig {
  std::string method = "ef";             ///< a row of `gradwire list`, e.g. none, dcgd, ef
  std::string compressor = "sign";       ///< a compressor spec, e.g. identity, fp16, sign, topk:1%, topk:5000
  std::string down = "none";             ///< link of the way back; only the sharded topology has one
  std::string topology = "auto";         ///< auto, allgather or allreduce
  std::string piece = "fixed";           ///< fixed: 65,536 elements of one parameter; tensor: the whole parameter
  int64_t min_compress_numel = 1024;     ///< parameters with fewer elements travel dense in the same message
  bool compress_1d = false;              ///< whether 1-D parameters (biases, norms) are compressed as well
  int64_t start_iter = 0;                ///< the first start_iter steps are dense
  double bucket_cap_mb = 25;             ///< DDP's bucket size, MiB
  double timeout_s = 300;                ///< seconds that any wait for a peer may take
};

/// Checks names, specs and whether the parts fit. Throws ConfigError that begins with the key ("comm.method: ...") and
/// says what was expected and the nearest choice that works.
void Check(const CommConfig& config);

}  // namespace gradwire
