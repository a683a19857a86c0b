// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "averaging/averagers.h"

namespace gradwire {
namespace {

class NeighbourAveraging final : public Averaging {
 public:
  explicit NeighbourAveraging(Mixing mixing) : mixing_(std::move(mixing)) {}

  void Round(std::span<double> values, const std::vector<bool>& answers) override {
    before_.assign(values.begin(), values.end());
    const size_t dimension = values.size() / answers.size();
    for (size_t i = 0; i < answers.size(); ++i)
      for (const Weights::Neighbour& neighbour : mixing_.rounds[0].neighbours[i]) {
        if (!answers[i] || !answers[neighbour.worker]) continue;
        ++cost_.messages, ++cost_.vectors;
        const double* own = &before_[i * dimension];
        const double* other = &before_[neighbour.worker * dimension];
        for (size_t k = 0; k < dimension; ++k) values[i * dimension + k] += neighbour.weight * (other[k] - own[k]);
      }
  }

 private:
  const Mixing mixing_;
  std::vector<double> before_;
};

}  // namespace

std::unique_ptr<Averaging> AverageNeighbours(Mixing mixing) {
  return std::make_unique<NeighbourAveraging>(std::move(mixing));
}

}  // namespace gradwire
