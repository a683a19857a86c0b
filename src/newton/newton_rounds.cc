// SPDX-License-Identifier: Apache-2.0
#include "newton/newton_rounds.h"

#include <fmt/format.h>

#include "gradwire/error.h"
#include "gradwire/method.h"
#include "newton/common_rounds.h"
#include "newton/stored_rounds.h"

namespace gradwire {
namespace {

ExchangeParts Plain(const char* method, uint64_t seed, const BitRule* count_as) {
  CommConfig comm;
  comm.method = method, comm.compressor = "identity";
  comm.min_compress_numel = 0, comm.compress_1d = true;
  ExchangeParts parts = MakeParts(comm, seed);
  parts.count_as = count_as;
  return parts;
}

/// Of vectors of which receivers keep the last ones, whose changes are sent by those who take part.
ExchangeParts Kept(uint64_t seed, const BitRule* count_as) {
  ExchangeParts parts = Plain("ef21", seed, count_as);
  parts.may_be_silent = true;
  return parts;
}

}  // namespace

void CheckSize(const NewtonRounds::Memory& memory, const Problem& problem) {
  for (const std::vector<double>* vector : {&memory.x, &memory.z, &memory.w, &memory.gradient})
    if (vector->size() != problem.dimension())
      throw Error(
          fmt::format("saved Newton round: a vector of {} numbers, expected {}", vector->size(), problem.dimension()));
}

ExchangeParts NewtonGradientParts(const NewtonParts& parts, const ExchangeParts& comm) {
  return parts.method->is_formed() ? Kept(parts.seed, parts.count_as) : comm;
}

std::unique_ptr<NewtonRounds> MakeNewtonRounds(Peers& peers, std::shared_ptr<const Problem> problem,
                                               const NewtonParts& parts) {
  const auto d = static_cast<int64_t>(problem->dimension());
  const bool is_formed = parts.method->is_formed();
  if (parts.method->exchanges_hessians())
    peers.Open(kHessians, {.name = "hessian", .shape = {d, d}, .symmetric = true}, parts.hessian);
  const ExchangeParts numbers =
      is_formed ? Kept(parts.seed, parts.count_as) : Plain("none", parts.seed, parts.count_as);
  if (parts.has_errors()) peers.Open(kErrors, {.name = "l", .shape = {1}}, numbers);
  if (parts.method->step == NewtonMethod::Step::kLineSearch) peers.Open(kValues, {.name = "f", .shape = {1}}, numbers);
  if (!is_formed) return std::make_unique<CommonRounds>(peers, std::move(problem), parts);
  // A server that keeps every H_i and w_i makes these by itself, so that no paper counts them.
  peers.Open(kFormed, {.name = "formed", .shape = {d}}, Kept(parts.seed, nullptr));
  return std::make_unique<StoredRounds>(peers, std::move(problem), parts);
}

}  // namespace gradwire
