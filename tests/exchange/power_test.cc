// SPDX-License-Identifier: Apache-2.0
// PowerSGD, against its algorithm written plainly; the laws of all methods take it up by themselves.
#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "exchange/saved_memory.h"
#include "gradwire/cost.h"
#include "gradwire/exchange_thread.h"
#include "gradwire/method.h"
#include "support/buckets.h"
#include "support/forwarding_collective.h"
#include "support/ranks.h"
#include "support/vectors.h"

namespace gradwire {
namespace {

using namespace testing;

constexpr size_t kRows = 48, kCols = 60, kRank = 3;
constexpr int kWorkers = 3;
const std::vector<Parameter> kParameters = {
    {"matrix", {kRows, kCols}}, {"bias", {50}}, {"kernel", {32, 4, 3, 3}}, {"square", {8, 8}}};

CommConfig Config() { return {.method = "powersgd", .compressor = "rank:3", .min_compress_numel = 0}; }

using Matrix = std::vector<double>;  // row by row

/// a b, of m x k and k x n.
Matrix Times(const Matrix& a, const Matrix& b, size_t m, size_t k, size_t n) {
  Matrix c(m * n);
  for (size_t i = 0; i < m; ++i)
    for (size_t l = 0; l < k; ++l)
      for (size_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + l] * b[l * n + j];
  return c;
}

Matrix Transposed(const Matrix& a, size_t m, size_t n) {
  Matrix t(a.size());
  for (size_t i = 0; i < m; ++i)
    for (size_t j = 0; j < n; ++j) t[j * m + i] = a[i * n + j];
  return t;
}

/// The columns, by modified Gram-Schmidt.
void OrthonormaliseColumns(Matrix& a, size_t m, size_t n) {
  for (size_t c = 0; c < n; ++c) {
    double square = 0;
    for (size_t i = 0; i < m; ++i) square += a[i * n + c] * a[i * n + c];
    for (size_t i = 0; i < m; ++i) a[i * n + c] /= std::sqrt(square);
    for (size_t other = c + 1; other < n; ++other) {
      double product = 0;
      for (size_t i = 0; i < m; ++i) product += a[i * n + c] * a[i * n + other];
      for (size_t i = 0; i < m; ++i) a[i * n + other] -= product * a[i * n + c];
    }
  }
}

/// Algorithms 1 and 2 of arXiv 1905.13727 on one matrix of each worker; `q` is cols x rank.
struct Plain {
  Matrix q;
  std::vector<Matrix> e = std::vector<Matrix>(kWorkers, Matrix(kRows* kCols));

  Matrix Step(const std::vector<Matrix>& gradients) {
    std::vector<Matrix> m = gradients;
    Matrix p(kRows * kRank);
    for (size_t w = 0; w < kWorkers; ++w) {
      for (size_t i = 0; i < m[w].size(); ++i) m[w][i] += e[w][i];
      const Matrix mine = Times(m[w], q, kRows, kCols, kRank);
      for (size_t i = 0; i < p.size(); ++i) p[i] += mine[i];
    }
    OrthonormaliseColumns(p, kRows, kRank);
    q.assign(kCols * kRank, 0);
    for (size_t w = 0; w < kWorkers; ++w) {
      const Matrix mine = Times(Transposed(m[w], kRows, kCols), p, kCols, kRows, kRank);
      for (size_t i = 0; i < q.size(); ++i) q[i] += mine[i] / kWorkers;
      const Matrix sent = Times(p, Transposed(mine, kCols, kRank), kRows, kRank, kCols);
      for (size_t i = 0; i < sent.size(); ++i) e[w][i] = m[w][i] - sent[i];
    }
    const Matrix mean = Times(p, Transposed(q, kCols, kRank), kRows, kRank, kCols);
    OrthonormaliseColumns(q, kCols, kRank);
    return mean;
  }
};

Matrix GradientOf(int worker, uint64_t step) {
  return Gaussian<double>(kRows * kCols, 1 + step * kWorkers + static_cast<uint64_t>(worker));
}

TEST(PowerSgd, DoesWhatItsAlgorithmSays) {
  RunRanks(kWorkers, [](Collective& collective) {
    Exchange<double> exchange(collective, {kParameters[0]}, MakeParts(Config(), 5));
    DirectSink<double> sink(exchange);
    Buckets<double> buckets({kParameters[0]}, {{0}});
    Plain plain;
    for (uint64_t step = 0; step < 6; ++step) {
      std::vector<Matrix> gradients;
      for (int w = 0; w < kWorkers; ++w) gradients.push_back(GradientOf(w, step));
      std::ranges::copy(gradients[static_cast<size_t>(collective.rank())], buckets.Of(0).begin());
      buckets.Exchange(sink, step);
      const std::span<const double> e = exchange.state().Vector(0, "e"), query = exchange.state().Vector(0, kQuery);
      if (step == 0) {  // the first query is drawn: from here on all is known
        plain.q = Transposed({query.begin(), query.end()}, kRank, kCols);
        for (int w = 0; w < kWorkers; ++w) {
          std::vector<double> of_w(e.begin(), e.end());
          if (w != collective.rank()) std::ranges::fill(of_w, 0.0);
          collective.Finish(collective.StartAllReduce(of_w));
          plain.e[static_cast<size_t>(w)] = of_w;
        }
        continue;
      }
      const Matrix mean = plain.Step(gradients);
      const Matrix& left = plain.e[static_cast<size_t>(collective.rank())];
      for (size_t i = 0; i < mean.size(); ++i) {
        ASSERT_NEAR(buckets.Of(0)[i], mean[i], 1e-12) << step;
        ASSERT_NEAR(e[i], left[i], 1e-12) << step;
      }
    }
  });
}

TEST(PowerSgd, AMatrixOfNoHigherRankArrivesWhole) {
  RunRanks(kWorkers, [](Collective& collective) {
    Exchange<double> exchange(collective, {kParameters[0]}, MakeParts(Config(), 5));
    DirectSink<double> sink(exchange);
    Buckets<double> buckets({kParameters[0]}, {{0}});
    const Matrix left = Gaussian<double>(kRows * 2, 8);  // common to all, so that the mean is of rank 2 as well
    const auto right = [](int worker) { return Gaussian<double>(2 * kCols, static_cast<uint64_t>(20 + worker)); };
    Matrix mean(kRows * kCols);
    for (int w = 0; w < kWorkers; ++w) {
      const Matrix m = Times(left, right(w), kRows, 2, kCols);
      for (size_t i = 0; i < m.size(); ++i) mean[i] += m[i] / kWorkers;
    }
    std::ranges::copy(Times(left, right(collective.rank()), kRows, 2, kCols), buckets.Of(0).begin());
    buckets.Exchange(sink, 0);
    for (size_t i = 0; i < mean.size(); ++i) {
      ASSERT_NEAR(buckets.Of(0)[i], mean[i], 1e-12);
      ASSERT_NEAR(exchange.state().Vector(0, "e")[i], 0, 1e-12);
    }
  });
}

TEST(PowerSgd, SendsTheBytesOfItsFormula) {
  // (rows + columns) rank of the two with a gain, each number once around a ring of two; the others whole.
  constexpr uint64_t kNumbers = (kRows + kCols) * kRank + (32 + 36) * kRank + 50 + 64;
  RunRanks(2, [](Collective& collective) {
    const ExchangeParts parts = MakeParts(Config(), 5);
    EXPECT_EQ(SentBytes(parts, kParameters, 2), kNumbers * sizeof(float));
    Exchange<float> exchange(collective, kParameters, parts);
    DirectSink<float> sink(exchange);
    Buckets<float> buckets(kParameters, {{3, 2}, {0, 1}});
    for (uint64_t step = 0; step < 2; ++step) buckets.Exchange(sink, step);
    EXPECT_EQ(exchange.stats().payload_bytes, 2 * kNumbers * sizeof(float));
    EXPECT_EQ(exchange.stats().frame_bytes, 0);
  });
}

TEST(PowerSgd, MatricesWithoutGainTravelWhole) {
  RunRanks(2, [](Collective& collective) {
    Exchange<double> exchange(collective, kParameters, MakeParts(Config(), 5));
    DirectSink<double> sink(exchange);
    Buckets<double> buckets(kParameters, OneBucket(kParameters));
    const double mine = 1.0 + collective.rank();
    for (const uint32_t p : {1u, 3u}) std::ranges::fill(buckets.Of(p), mine);
    buckets.Exchange(sink, 0);
    for (const uint32_t p : {1u, 3u})
      for (const double x : buckets.Of(p)) EXPECT_EQ(x, 1.5);
  });
}

const std::vector<int64_t> kShape = {16, 12, 3, 3};

/// One rank with one filter, whose gradients are given row by row.
class Filter {
 public:
  Filter(Collective& collective, const ElementOrder& order)
      : rank_(collective.rank()),
        order_(order),
        exchange_(collective, {{"filter", kShape, order}}, MakeParts(Config(), 5)) {}

  std::vector<float> Step(uint64_t step) {
    std::vector<float> values = Gaussian<float>(16 * 12 * 9, 1 + step * kWorkers + static_cast<uint64_t>(rank_)),
                       result(values.size());
    Rearrange<float>(kShape, {}, values, order_, buckets_.Of(0));
    buckets_.Exchange(sink_, step);
    Rearrange<float>(kShape, order_, buckets_.Of(0), {}, result);
    return result;
  }
  void Arrange(const ElementOrder& order) { exchange_.Arrange({order_ = order}); }
  Exchange<float>& exchange() { return exchange_; }

 private:
  const int rank_;
  ElementOrder order_;
  Exchange<float> exchange_;
  DirectSink<float> sink_{exchange_};
  Buckets<float> buckets_{{{"filter", kShape}}, {{0}}};
};

void ExpectNear(const std::vector<float>& a, const std::vector<float>& b, float most) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], most) << i;
}

/// The query's columns are the filter's, so that they lie as those do; sums are then in another order.
TEST(PowerSgd, GoesOnInAnotherOrderOfElements) {
  const ElementOrder channels_last = {0, 2, 3, 1};
  RunRanks(kWorkers, [&](Collective& collective) {
    Filter rows(collective, {}), turned(collective, {}), loaded(collective, channels_last);
    for (uint64_t step = 0; step < 2; ++step) ASSERT_EQ(rows.Step(step), turned.Step(step));
    turned.Arrange(channels_last);
    LoadMemory(loaded.exchange(), SaveMemory(rows.exchange()));
    for (uint64_t step = 2; step < 5; ++step) {
      const std::vector<float> expected = rows.Step(step), arranged = turned.Step(step);
      ExpectNear(arranged, expected, 1e-4F);
      EXPECT_EQ(loaded.Step(step), arranged);
    }
  });
}

/// What n ranks deliver and remember is what one delivers that has their mean: an iterate in another world goes on
/// where it was.
TEST(PowerSgd, GoesOnInAnotherWorld) {
  std::vector<std::vector<SavedVector<float>>> saved(kWorkers);
  RunRanks(kWorkers, [&](Collective& collective) {
    Filter filter(collective, {});
    for (uint64_t step = 0; step < 3; ++step) filter.Step(step);
    saved[static_cast<size_t>(collective.rank())] = SaveMemory(filter.exchange());
  });
  RunRanks(2, [&](Collective& collective) {
    Filter filter(collective, {});
    LoadMemory(filter.exchange(), Reshard(saved, "factors"));
    const std::vector<SavedVector<float>> here = SaveMemory(filter.exchange());
    ASSERT_EQ(here.size(), 2u);
    for (const SavedVector<float>& vector : here)
      for (size_t i = 0; i < vector.values.size(); ++i) {
        float sum = 0;
        for (const auto& rank : saved)
          for (const SavedVector<float>& old : rank)
            if (old.name == vector.name) sum += old.values[i];
        ASSERT_NEAR(vector.values[i], sum / kWorkers, 1e-6F) << vector.name;
      }
    filter.Step(3);
  });
}

/// Distance to the mean of A_1 .. A_3 after so many steps along the gradients of ||X - A_w||^2 / 2.
double DistanceAfter(int steps, CommConfig config) {
  double distance = 0;
  config.min_compress_numel = 0;
  RunRanks(kWorkers, [&](Collective& collective) {
    Exchange<double> exchange(collective, {kParameters[0]}, MakeParts(config, 5));
    DirectSink<double> sink(exchange);
    Buckets<double> buckets({kParameters[0]}, {{0}});
    Matrix x(kRows * kCols), mean(kRows * kCols);
    for (int w = 0; w < kWorkers; ++w) {
      const Matrix of_w = GradientOf(w, 0);
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += of_w[i] / kWorkers;
    }
    const Matrix own = GradientOf(collective.rank(), 0);
    for (int step = 0; step < steps; ++step) {
      for (size_t i = 0; i < x.size(); ++i) buckets.Of(0)[i] = x[i] - own[i];
      buckets.Exchange(sink, static_cast<uint64_t>(step));
      for (size_t i = 0; i < x.size(); ++i) x[i] -= 0.05 * buckets.Of(0)[i];
    }
    double square = 0;
    for (size_t i = 0; i < x.size(); ++i) square += (x[i] - mean[i]) * (x[i] - mean[i]);
    if (collective.rank() == 0) distance = std::sqrt(square);
  });
  return distance;
}

/// All ranks send what lies in one subspace, so that their differences cancel in it, and the mean's memory is that of a
/// single worker: no neighbourhood is left, as of operators that each rank applies by itself.
TEST(PowerSgd, ReachesTheMinimumWhereRanksDiffer) {
  EXPECT_LT(DistanceAfter(1500, Config()), 1e-10);
  EXPECT_GT(DistanceAfter(1500, {.method = "ef", .compressor = "rank:3", .piece = "matrix"}), 1e-3);
}

/// A query that has found what the matrix is no more would never find what it has become.
TEST(PowerSgd, FindsColumnsThatItsQueryHasNotSeen) {
  RunRanks(2, [](Collective& collective) {
    for (const char* rank : {"rank:1", "rank:2"}) {
      CommConfig config = Config();
      config.compressor = rank;
      Exchange<double> exchange(collective, {kParameters[0]}, MakeParts(config, 5));
      DirectSink<double> sink(exchange);
      Buckets<double> buckets({kParameters[0]}, {{0}});
      const auto step = [&](uint64_t number, size_t column) {
        std::ranges::fill(buckets.Of(0), 0.0);
        for (size_t i = 0; i < kRows; ++i) buckets.Of(0)[i * kCols + column] = 1 + static_cast<double>(i);
        buckets.Exchange(sink, number);
      };
      step(0, 3);
      ASSERT_NEAR(buckets.Of(0)[3], 1, 1e-12) << rank;
      step(1, 7);  // with rank 1 the query is of column 3 alone, and nothing arrives
      step(2, 7);
      ASSERT_NEAR(buckets.Of(0)[7], config.compressor == "rank:1" ? 2 : 1, 1e-12) << rank;
    }
  });
}

TEST(PowerSgd, TakesParametersOfNoElements) {
  RunRanks(2, [](Collective& collective) {
    const std::vector<Parameter> parameters = {{"empty", {0, 30}}, kParameters[0]};
    Exchange<double> exchange(collective, parameters, MakeParts(Config(), 5));
    DirectSink<double> sink(exchange);
    Buckets<double> buckets(parameters, {{0}, {1}});
    buckets.Exchange(sink, 0);
    EXPECT_EQ(exchange.state().Vector(1, kQuery).size(), kRank * kCols);
  });
}

/// Notes the sizes of this rank's sums in the order of their start; a wait begins late, as over a slow link.
class SumOrder : public ForwardingCollective {
 public:
  using ForwardingCollective::ForwardingCollective;
  using ForwardingCollective::StartAllReduce;
  Ticket StartAllReduce(std::span<float> values) override {
    sizes.push_back(values.size());
    return ForwardingCollective::StartAllReduce(values);
  }
  void Finish(const Ticket& ticket) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    ForwardingCollective::Finish(ticket);
  }
  std::vector<size_t> sizes;  // of the exchange's thread alone
};

/// Sums have no names but their order, which must be that of all ranks.
TEST(PowerSgd, StartsNoBucketBeforeTheOneBeforeItHasFinished) {
  const std::vector<Parameter> parameters = {{"a", {40, 50}}, {"b", {48, 60}}, {"c", {56, 70}}};
  RunRanks(2, [&](Collective& collective) {
    SumOrder order(collective);
    Exchange<float> exchange(order, parameters, MakeParts(Config(), 5));
    ExchangeThread<float> thread(exchange);
    Buckets<float> buckets(parameters, OneEach(parameters));
    for (const uint32_t p : {0u, 1u, 2u}) std::ranges::fill(buckets.Of(p), 1.0F);
    buckets.Exchange(thread, 0);
    thread.Close();
    EXPECT_EQ(order.sizes,
              (std::vector<size_t>{40 * kRank, 50 * kRank, 48 * kRank, 60 * kRank, 56 * kRank, 70 * kRank}));
  });
}

}  // namespace
}  // namespace gradwire
