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

}  // namespace

ExchangeParts KeptParts(uint64_t seed, const BitRule* count_as) {
  ExchangeParts parts = Plain("ef21", seed, count_as);
  parts.may_be_silent = true;
  return parts;
}

void SendBasis(Peers& peers, const DataBasis& basis) {
  std::vector<std::vector<double>> copies;
  for (uint32_t i = 0; i < peers.size(); ++i) {
    const std::span<const double> vectors = basis.vectors(peers.first() + i);
    copies.emplace_back(vectors.begin(), vectors.end());
  }
  const std::vector<std::span<double>> sent(copies.begin(), copies.end());
  peers.Mean(Round(0).In(kBasis), sent);
}

void CheckSize(const NewtonRounds::Memory& memory, const Problem& problem) {
  for (const std::vector<double>* vector : {&memory.x, &memory.z, &memory.w, &memory.gradient})
    if (vector->size() != problem.dimension())
      throw Error(
          fmt::format("saved Newton round: a vector of {} numbers, expected {}", vector->size(), problem.dimension()));
}

ExchangeParts NewtonGradientParts(const NewtonParts& parts, const ExchangeParts& comm) {
  return parts.method->is_formed() ? KeptParts(parts.seed, parts.count_as) : comm;
}

std::unique_ptr<NewtonRounds> MakeNewtonRounds(Peers& peers, std::shared_ptr<const Problem> problem,
                                               const NewtonParts& parts) {
  const auto d = static_cast<int64_t>(problem->dimension());
  const bool is_formed = parts.method->is_formed();
  if (parts.method->exchanges_hessians())
    peers.Open(kHessians, {.name = "hessian", .shape = {d, d}, .symmetric = true}, parts.hessian);
  if (parts.basis) {
    const Parameter vectors{.name = "basis", .shape = {static_cast<int64_t>(parts.basis->order()), d}};
    peers.Open(kBasis, vectors, Plain("none", parts.seed, parts.count_as));
  }
  if (is_formed) {
    auto form =
        parts.method->is_positive ? MakePositiveForm(peers, *problem, parts) : MakeShiftedForm(peers, *problem, parts);
    return std::make_unique<StoredRounds>(peers, std::move(problem), parts, std::move(form));
  }
  const ExchangeParts numbers = Plain("none", parts.seed, parts.count_as);
  if (parts.has_errors()) peers.Open(kErrors, {.name = "l", .shape = {1}}, numbers);
  if (parts.method->step == NewtonMethod::Step::kLineSearch) peers.Open(kValues, {.name = "f", .shape = {1}}, numbers);
  return std::make_unique<CommonRounds>(peers, std::move(problem), parts);
}

}  // namespace gradwire
