// SPDX-License-Identifier: Apache-2.0
// Three-point maps: E||C_{h,y}(x) - x||^2 <= (1 - A) ||h - y||^2 + B ||x - y||^2, with the (A, B) of their papers, on
// random triples. h is what the receiver has, y the sender's vector of the round before, x that of this one.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "gradwire/method.h"
#include "support/convex.h"
#include "support/measured_laws.h"

namespace gradwire {
namespace {

using testing::Comm;
using Vector = std::vector<double>;

constexpr size_t kNumel = 12;
constexpr int kDraws = 2000;

struct Triple {
  Vector h, y, x;
};

/// C_{h,y}(x) of the links themselves, not of a dense round.
Vector Apply(const ExchangeParts& parts, const Triple& triple, uint64_t step) {
  Triple t = triple;
  Lane lane;
  std::vector<std::byte> out(1 << 10);
  const LinkMemory<double> memory{{}, t.h, t.y, {}, {}};
  Site site = testing::SiteOf(Piece::Whole(kNumel), step);
  const auto send = [&](const Link& link, const Compressor& op, Purpose purpose) {
    site.purpose = purpose;
    const std::span<std::byte> room = std::span(out).first(op.Bytes(site.piece, Dtype::kF64));
    return room.first(Send<double>(link, op, site, lane, memory, 1, t.x, room).bytes);
  };
  if (parts.learner) send(parts.learning, *parts.learner, Purpose::kLearn);
  const auto bytes = send(parts.link, *parts.compressor, Purpose::kCompress);
  if (!parts.link.holds_h()) {  // MARINA: the receiver alone has h
    const Payload payload{bytes, site.worker};
    const double one = 1;
    parts.compressor->Decode(site, lane, {&payload, 1}, std::span(&one, 1), Into::kAdd, t.h);
  }
  return t.h;
}

double SquaredDistance(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

Vector Moved(Vector v, double by, uint64_t seed) {
  const Vector g = testing::Gaussian<double>(kNumel, seed);
  for (size_t i = 0; i < v.size(); ++i) v[i] += by * g[i];
  return v;
}

/// The estimate right, nearly right and wrong, of what moves little and far.
std::vector<Triple> Triples() {
  std::vector<Triple> triples;
  uint64_t seed = 1;
  for (const double wrong : {0.0, 0.01, 0.3, 1.0, 10.0})
    for (const double moves : {0.0, 0.01, 0.3, 1.0, 10.0})
      for (int again = 0; again < 4; ++again) {
        const Vector h = testing::Gaussian<double>(kNumel, seed++), y = Moved(h, wrong, seed++);
        triples.push_back({h, y, Moved(y, moves, seed++)});
      }
  return triples;
}

/// (1 - A, B).
struct Bound {
  double of_wrong, of_move;
};

/// EF21's for a contraction by delta, of which s > 0 makes a family: 1 - A = (1 - delta)(1 + s), B = (1 - delta)(1 +
/// 1/s).
std::vector<Bound> Contraction(double delta, double zeta = 0) {
  std::vector<Bound> bounds;
  for (const double s : {0.02, 0.1, 0.5, 1.0, 4.0, 20.0})
    bounds.push_back({(1 - delta) * (1 + s), std::max((1 - delta) * (1 + 1 / s), zeta)});
  return bounds;
}

struct ThreePoint {
  const char* name;
  CommConfig comm;
  std::vector<Bound> bounds;  ///< all of which hold
  double sent = 1;            ///< probability of a round that is not dense
};

void PrintTo(const ThreePoint& map, std::ostream* out) { *out << map.name; }

CommConfig With(const char* method, const char* compressor, std::string CommConfig::*key, const char* value) {
  CommConfig comm = Comm(method, compressor);
  comm.*key = value;
  return comm;
}

class ThreePointMaps : public ::testing::TestWithParam<ThreePoint> {};

TEST_P(ThreePointMaps, SatisfyTheirInequality) {
  const ThreePoint& map = GetParam();
  const ExchangeParts parts = MakeParts(map.comm, 1);
  for (const Triple& t : Triples()) {
    testing::Mean error;
    for (int draw = 0; draw < kDraws; ++draw) {
      error.Add(SquaredDistance(Apply(parts, t, static_cast<uint64_t>(draw)), t.x));
      if (draw == 20 && error.error() == 0) break;  // nothing is drawn
    }
    const double wrong = SquaredDistance(t.h, t.y), move = SquaredDistance(t.x, t.y);
    for (const Bound& bound : map.bounds) {
      const double most = bound.of_wrong * wrong + bound.of_move * move;
      EXPECT_LE(map.sent * error.mean(), most + map.sent * error.margin() + 1e-12 * (wrong + move))
          << "||h - y||^2 = " << wrong << ", ||x - y||^2 = " << move;
    }
  }
}

// Top-3 of 12: delta = 1/4. Rand-3: omega = 3. sign: 1/12.
INSTANTIATE_TEST_SUITE_P(
    , ThreePointMaps,
    ::testing::Values(
        ThreePoint{"ef21", Comm("ef21", "topk:3"), Contraction(0.25)},
        ThreePoint{"lag", With("lag", "identity", &CommConfig::zeta, "2"), {{0, 2}}},
        ThreePoint{"clag", With("clag", "topk:3", &CommConfig::zeta, "2"), Contraction(0.25, 2)},
        ThreePoint{"cbag", With("cbag", "topk:3", &CommConfig::p, "0.5"), Contraction(0.5 * 0.25)},
        ThreePoint{"bag", With("cbag", "identity", &CommConfig::p, "0.5"), Contraction(0.5)},
        ThreePoint{"v1", Comm("3pcv1", "topk:3"), {{0, 0.75}}},
        // delta = 1/4 of C, omega = 3 of Q: 1 - A = 1 - delta, B = (1 - delta) omega.
        ThreePoint{"v2", With("3pcv2", "topk:3", &CommConfig::learner, "randk:3"), {{0.75, 0.75 * 3}}},
        // 1 - delta = (1 - delta_1)(1 - delta_2).
        ThreePoint{"v4", Comm("ef21", "then(topk:3,sign)"), Contraction(1 - 0.75 * 11 / 12)},
        // 1 - A = 1 - p, B = (1 - p) omega.
        ThreePoint{"v5", With("marina", "randk:3", &CommConfig::p, "0.2"), {{0.8, 0.8 * 3}}, 0.8},
        // An isometry: EF21's with A = delta / 2, as the paper states it, and all others.
        ThreePoint{"rotation", Comm("ef21", "rotate(topk:3)"), {{1 - 0.125, 0.75 * 1.75 / 0.25}}},
        ThreePoint{"rotation_of_every_s", Comm("ef21", "rotate(topk:3)"), Contraction(0.25)},
        // Of at most K0 = 3: A = K0 / (2 d). B is the larger of EF21's for that A, (1 - delta)(2 - delta) / delta with
        // delta = K0 / d, and, where K' < K0 and so ||C - x||^2 <= ||x - h||^2 - ||y - h||^2, of 1 + 1 / (1 - A).
        ThreePoint{"adaptive_topk",
                   Comm("adaptive_topk", "topk:3:counted"),
                   {{1 - 0.125, std::max(0.75 * 1.75 / 0.25, 1 + 1 / 0.875)}}},
        ThreePoint{"adaptive_topk_of_all", Comm("adaptive_topk", "topk:12:counted"), {{0.5, 3}}}),
    [](const auto& info) { return info.param.name; });

/// The K of a round is ceil(d ||y - h||^2 / ||x - h||^2), at most K0.
TEST(AdaptiveTopK, SendsAsManyAsTheEstimateWasWrong) {
  const ExchangeParts parts = MakeParts(Comm("adaptive_topk", "topk:6:counted"), 1);
  const auto sent = [&](double wrong, double away) {  // ||y - h||^2, ||x - h||^2
    const Triple t{Vector(kNumel), Vector(kNumel, std::sqrt(wrong / kNumel)), Vector(kNumel, std::sqrt(away / kNumel))};
    const Vector now = Apply(parts, t, 0);
    return kNumel - static_cast<size_t>(std::ranges::count(now, 0.0));
  };
  EXPECT_EQ(sent(0, 1), 0u);
  EXPECT_EQ(sent(1e-9, 1), 1u);
  EXPECT_EQ(sent(2.5, 12), 3u);
  EXPECT_EQ(sent(5.5, 12), 6u);
  EXPECT_EQ(sent(9, 12), 6u);
  EXPECT_EQ(sent(100, 12), 6u);
  EXPECT_EQ(sent(1, 0), 0u);
}

}  // namespace
}  // namespace gradwire
